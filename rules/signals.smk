"""Signals. Queries the models of one block, probes them where an attack asks for it, and takes over
the signals of external cohorts."""


rule query_models:
    input:
        unpack(asked("population", "roles", "membership", "weights")),
    output:
        signals=ensure("<results>/cohorts/{cohort}/signals/{block}.h5", non_empty=True),
    log:
        "<logs>/query_models/{cohort}/{block}.log",
    benchmark:
        "<benchmarks>/query_models/{cohort}/{block}.tsv"
    wildcard_constraints:
        cohort=either(contents.queried(STUDY)),
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=memory_by("query_models/{cohort}"),
        runtime=minutes_by("query_models/{cohort}", 240),
        gpu=GPU,
    params:
        settings=settings(jobs.signal_settings),
        code=digest(
            "query_models.py",
            "miatlas/training/architectures/{architecture[name]}.py",
            of=jobs.signal_settings,
        ),
    script:
        "../scripts/query_models.py"


rule probe_models:
    input:
        unpack(asked("population", "weights")),
    output:
        answers=ensure(
            "<results>/cohorts/{cohort}/probes/{probe}/{block}.h5", non_empty=True
        ),
    log:
        "<logs>/probe_models/{cohort}/{probe}/{block}.log",
    benchmark:
        "<benchmarks>/probe_models/{cohort}/{probe}/{block}.tsv"
    wildcard_constraints:
        cohort=either(contents.queried(STUDY)),
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=memory_by("probe_models/{cohort}/{probe}"),
        runtime=minutes_by("probe_models/{cohort}/{probe}", 240),
        gpu=GPU,
    params:
        settings=settings(jobs.probe_settings),
        code=digest(
            "probe_models.py",
            "miatlas/training/architectures/{architecture[name]}.py",
            "miatlas/signals/probes/{probe}.py",
            of=jobs.probe_settings,
        ),
    script:
        "../scripts/probe_models.py"


rule accept_signals:
    input:
        external=external,
    output:
        signals=ensure("<results>/cohorts/{cohort}/signals/{block}.h5", non_empty=True),
    log:
        "<logs>/accept_signals/{cohort}/{block}.log",
    benchmark:
        "<benchmarks>/accept_signals/{cohort}/{block}.tsv"
    wildcard_constraints:
        cohort=either(contents.external(STUDY)),
    priority: 100
    conda:
        "../envs/analysis.yaml"
    params:
        settings=settings(jobs.external_settings),
        content=content(users_files.external_files),
        code=digest("accept_signals.py"),
    script:
        "../scripts/accept_signals.py"
