"""miatlas: membership inference, from labelled data to the figures and tables of the papers.

data -> membership -> models -> signals -> scores -> metrics -> exhibits
                                       -> bounds           ->
"""

from snakemake.utils import min_version

min_version("9.27")


# A study given with --configfile replaces the demo; Snakemake would merge the two.
if not workflow.overwrite_configfiles:

    configfile: f"{workflow.current_basedir}/config/config.yaml"


pathvars:
    logs="<results>/logs",
    benchmarks="<results>/benchmarks",


include: "rules/mended.smk"
include: "rules/records.smk"
include: "rules/common.smk"
include: "rules/forks.smk"
include: "rules/data.smk"
include: "rules/membership.smk"
include: "rules/models.smk"
include: "rules/signals.smk"
include: "rules/scores.smk"
include: "rules/metrics.smk"
include: "rules/bounds.smk"
include: "rules/exhibits.smk"


report: "config/report.rst"


rule all:
    default_target: True
    input:
        rules.figures.input,
        rules.tables.input,
        [
            collect(
                rules.measure_leakage.output.metrics,
                audit=name,
                label=audit["attacks"],
            )
            for name, audit in STUDY["audits"].items()
        ],
        rules.write_answer.output if STUDY["audits"] else [],
        rules.describe_run.output,
    localrule: True
