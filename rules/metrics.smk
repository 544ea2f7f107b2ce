"""Metrics. What the scores say about the leakage: rates, intervals, ROC curves."""


rule measure_leakage:
    input:
        scores=rules.score_attack.output.scores,
        claims=claims,
    output:
        metrics=ensure("<results>/audits/{audit}/{label}.metrics.json", non_empty=True),
        curves=ensure("<results>/audits/{audit}/{label}.roc.csv", non_empty=True),
    log:
        "<logs>/measure_leakage/{audit}/{label}.log",
    benchmark:
        "<benchmarks>/measure_leakage/{audit}/{label}.tsv"
    conda:
        "../envs/analysis.yaml"
    params:
        settings=settings(audit_jobs.metric_settings),
        code=digest("measure_leakage.py"),
    script:
        "../scripts/measure_leakage.py"
