"""Scores. Trains regressors of an audit's targets where an attack asks for them, and scores one
attack on the targets; higher means more likely a member."""


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
        settings=settings(jobs.regression_settings),
        content=content(users_files.regressors_files),
        code=digest(
            "train_regressors.py",
            "miatlas/training/architectures/{recipe[architecture][name]}.py",
            of=jobs.regression_settings,
        ),
    script:
        "../scripts/train_regressors.py"


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
        settings=settings(jobs.score_settings),
        code=digest(
            "score_attack.py", "miatlas/attacks/{attack}.py", of=jobs.score_settings
        ),
    script:
        "../scripts/score_attack.py"
