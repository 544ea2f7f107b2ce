"""Models. Trains the models of one block together; writes their stacked weights and history."""


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
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(720),
        gpu=GPU,
    params:
        settings=settings(jobs.training_settings),
        code=digest(
            "train_models.py",
            "miatlas/training/architectures/{recipe[architecture][name]}.py",
            of=jobs.training_settings,
        ),
    script:
        "../scripts/train_models.py"
