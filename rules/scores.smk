"""Scores. Trains regressors of an audit's targets, and finds perturbed points for them, where an
attack asks for these; scores one attack on the targets; higher means more likely a member.
"""


rule list_attacks:
    log:
        "<logs>/list_attacks.log",
    localrule: True
    conda:
        "../envs/analysis.yaml"
    script:
        "../scripts/list_attacks.py"


rule train_regressors:
    input:
        unpack(regressed),
    output:
        regression=ensure(
            "<results>/audits/{audit}/regressions/{law}.h5", non_empty=True
        ),
    log:
        "<logs>/train_regressors/{audit}/{law}.log",
    benchmark:
        "<benchmarks>/train_regressors/{audit}/{law}.tsv"
    wildcard_constraints:
        audit=either(STUDY["audits"]),
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
        gpu=GPU,
    params:
        settings=settings(audit_jobs.regression_settings),
        content=content(users_files.regressors_files),
        code=digest(
            "train_regressors.py",
            "miatlas/training/architectures/{recipe[architecture][name]}.py",
            of=audit_jobs.regression_settings,
        ),
    script:
        "../scripts/train_regressors.py"


rule perturb_examples:
    input:
        unpack(moved),
    output:
        perturbed=ensure(
            "<results>/audits/{audit}/perturbed/{references}.h5", non_empty=True
        ),
    log:
        "<logs>/perturb_examples/{audit}/{references}.log",
    benchmark:
        "<benchmarks>/perturb_examples/{audit}/{references}.tsv"
    wildcard_constraints:
        audit=either(STUDY["audits"]),
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
        gpu=GPU,
    params:
        settings=settings(audit_jobs.perturbation_settings),
        code=digest(
            "perturb_examples.py",
            "miatlas/training/architectures/{target[architecture][name]}.py",
            "miatlas/training/architectures/{shadow[architecture][name]}.py",
            of=audit_jobs.perturbation_settings,
        ),
    script:
        "../scripts/perturb_examples.py"


rule score_attack:
    input:
        unpack(answers),
    output:
        scores=ensure("<results>/audits/{audit}/{label}.h5", non_empty=True),
    log:
        "<logs>/score_attack/{audit}/{label}.log",
    benchmark:
        "<benchmarks>/score_attack/{audit}/{label}.tsv"
    wildcard_constraints:
        audit=either(STUDY["audits"]),
        label=either(STUDY["attacks"]),
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=growing(STUDY["memory_mb"]),
        runtime=growing(120),
    params:
        settings=settings(audit_jobs.score_settings),
        code=digest(
            "score_attack.py",
            "miatlas/attacks/{attack}.py",
            of=audit_jobs.score_settings,
        ),
    script:
        "../scripts/score_attack.py"
