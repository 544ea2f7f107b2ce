"""Exhibits. The figures and tables of the study, as files and in the report."""

EXHIBITS = f"<results>/exhibits/{STUDY['study']}"

# Who is exposed is written down only where the study says so.
disclosed = {"records_file": f"{EXHIBITS}/records.csv"} if STUDY["show_records"] else {}


rule draw_figure:
    input:
        unpack(evidence),
        style=style,
    output:
        svg=report(
            f"{EXHIBITS}/{{exhibit}}.svg",
            caption="../config/caption.rst",
            category=headed,
            labels=titled,
        ),
        pdf=f"{EXHIBITS}/{{exhibit}}.pdf",
        png=f"{EXHIBITS}/{{exhibit}}.png",
        csv=f"{EXHIBITS}/{{exhibit}}.csv",
    log:
        "<logs>/draw_figure/{exhibit}.log",
    benchmark:
        f"<benchmarks>/draw_figure/{STUDY['study']}/{{exhibit}}.tsv"
    wildcard_constraints:
        exhibit=either(contents.exhibits(STUDY, "figure")),
    conda:
        "../envs/analysis.yaml"
    params:
        settings=settings(exhibit_jobs.exhibit_settings),
        code=digest(
            "draw_figure.py",
            "miatlas/exhibits/figures/{figure}.py",
            of=exhibit_jobs.exhibit_settings,
        ),
    script:
        "../scripts/draw_figure.py"


rule make_table:
    input:
        unpack(evidence),
    output:
        html=report(
            f"{EXHIBITS}/{{exhibit}}.html",
            caption="../config/caption.rst",
            category=headed,
            labels=titled,
        ),
        md=f"{EXHIBITS}/{{exhibit}}.md",
        csv=f"{EXHIBITS}/{{exhibit}}.csv",
    log:
        "<logs>/make_table/{exhibit}.log",
    benchmark:
        f"<benchmarks>/make_table/{STUDY['study']}/{{exhibit}}.tsv"
    wildcard_constraints:
        exhibit=either(contents.exhibits(STUDY, "table")),
    conda:
        "../envs/analysis.yaml"
    params:
        settings=settings(exhibit_jobs.exhibit_settings),
        code=digest(
            "make_table.py",
            "miatlas/exhibits/tables/{table}.py",
            of=exhibit_jobs.exhibit_settings,
            more=exhibit_jobs.described_attacks,
        ),
    script:
        "../scripts/make_table.py"


rule write_answer:
    input:
        **answered(),
        template=answer_template,
    output:
        **disclosed,
        page=report(
            f"{EXHIBITS}/answer.html",
            caption="../config/caption.rst",
            category=PAGES["answer"]["paper"],
            labels={"exhibit": PAGES["answer"]["title"]},
        ),
        data=f"{EXHIBITS}/answer.json",
        thresholds_file=f"{EXHIBITS}/thresholds.json",
    log:
        "<logs>/write_answer.log",
    benchmark:
        f"<benchmarks>/write_answer/{STUDY['study']}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=growing(STUDY["memory_mb"]),
    params:
        settings=settings(exhibit_jobs.answer_settings),
        code=digest("write_answer.py"),
    script:
        "../scripts/write_answer.py"


rule describe_run:
    input:
        populations=collect(
            "<results>/populations/{population}.h5", population=STUDY["populations"]
        ),
        histories=[
            file for cohort in contents.kept(STUDY) for file in histories(cohort)
        ],
    output:
        html=report(
            f"{EXHIBITS}/provenance.html",
            caption="../config/caption.rst",
            category=PAGES["provenance"]["paper"],
            labels={"exhibit": PAGES["provenance"]["title"]},
        ),
    log:
        "<logs>/describe_run.log",
    benchmark:
        f"<benchmarks>/describe_run/{STUDY['study']}.tsv"
    conda:
        "../envs/training.yaml"
    params:
        settings=settings(exhibit_jobs.run_settings),
        code=digest("describe_run.py"),
    script:
        "../scripts/describe_run.py"


rule figures:
    input:
        collect(rules.draw_figure.output, exhibit=contents.exhibits(STUDY, "figure")),
    localrule: True


rule tables:
    input:
        collect(rules.make_table.output, exhibit=contents.exhibits(STUDY, "table")),
    localrule: True
