"""Bounds. What a cohort's models tell of each example's uncertainty, and what no attack could exceed."""


rule compute_bounds:
    input:
        signals=lambda w: signals(w.cohort),
    output:
        bounds=ensure("<results>/bounds/{cohort}.csv", non_empty=True),
        reliability="<results>/bounds/{cohort}.reliability.csv",
    log:
        "<logs>/compute_bounds/{cohort}.log",
    benchmark:
        "<benchmarks>/compute_bounds/{cohort}.tsv"
    wildcard_constraints:
        cohort=either(STUDY["cohorts"]),
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=growing(STUDY["memory_mb"]),
        runtime=growing(120),
    params:
        settings=settings(jobs.bound_settings),
        code=digest("compute_bounds.py"),
    script:
        "../scripts/compute_bounds.py"
