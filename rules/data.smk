"""Data. Reads raw files below data_root (or downloads them); writes one HDF5 file a population."""


rule prepare_population:
    output:
        population=ensure("<results>/populations/{population}.h5", non_empty=True),
    log:
        "<logs>/prepare_population/{population}.log",
    benchmark:
        "<benchmarks>/prepare_population/{population}.tsv"
    priority: 100
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        settings=settings(jobs.population_settings),
        content=content(users_files.data_files),
        code=digest(
            "prepare_population.py",
            "miatlas/populations/{source}.py",
            of=jobs.population_settings,
            more=jobs.canary_sources,
        ),
    script:
        "../scripts/prepare_population.py"
