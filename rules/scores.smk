"""Scores. One attack on the targets of one audit; higher means more likely a member."""


rule list_attacks:
    log:
        "<logs>/list_attacks.log",
    localrule: True
    conda:
        "../envs/analysis.yaml"
    script:
        "../scripts/list_attacks.py"


rule score_attack:
    input:
        unpack(answers),
    output:
        scores=ensure("<results>/audits/{audit}/{label}.h5", non_empty=True),
    log:
        "<logs>/score_attack/{audit}/{label}.log",
    benchmark:
        "<benchmarks>/score_attack/{audit}/{label}.tsv"
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
