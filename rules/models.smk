"""Models. Trains the models of one block together, or takes over released ones; writes their
stacked weights and history."""


rule train_models:
    input:
        population=population_of,
        roles=rules.assign_roles.output.roles,
        membership=rules.draw_membership.output.membership,
        teachers=made_of("signals", "h5", distilled=True),
    output:
        weights=ensure(
            "<results>/cohorts/{cohort}/models/{block}.safetensors", non_empty=True
        ),
        history=ensure(
            "<results>/cohorts/{cohort}/models/{block}.history.csv", non_empty=True
        ),
    log:
        "<logs>/train_models/{cohort}/{block}.log",
    benchmark:
        "<benchmarks>/train_models/{cohort}/{block}.tsv"
    wildcard_constraints:
        cohort=either(contents.trained(STUDY)),
    conda:
        "../envs/training.yaml"
    threads: at_once
    resources:
        mem_mb=memory_by("train_models/{cohort}"),
        runtime=minutes_by("train_models/{cohort}", 720),
        gpu=GPU,
    params:
        settings=settings(jobs.training_settings),
        content=content(users_files.pretrained_files),
        code=digest(
            "train_models.py",
            "miatlas/training/architectures/{recipe[architecture][name]}.py",
            of=jobs.training_settings,
        ),
    script:
        "../scripts/train_models.py"


rule accept_models:
    input:
        population=population_of,
        membership=rules.accept_members.output.membership,
        released=lookup("cohorts/{cohort}/weights", within=STUDY),
    output:
        weights=ensure(
            "<results>/cohorts/{cohort}/models/{block}.safetensors", non_empty=True
        ),
        history=ensure(
            "<results>/cohorts/{cohort}/models/{block}.history.csv", non_empty=True
        ),
    log:
        "<logs>/accept_models/{cohort}/{block}.log",
    benchmark:
        "<benchmarks>/accept_models/{cohort}/{block}.tsv"
    wildcard_constraints:
        cohort=either(contents.released(STUDY)),
    priority: 100
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
        gpu=GPU,
    params:
        settings=settings(jobs.released_settings),
        content=content(users_files.released_files),
        code=digest(
            "accept_models.py",
            "miatlas/training/architectures/{architecture[name]}.py",
            of=jobs.released_settings,
        ),
    script:
        "../scripts/accept_models.py"
