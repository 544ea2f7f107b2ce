"""miatlas: membership inference, from labelled data to the figures and tables of the papers.

data -> membership -> models -> signals -> scores -> metrics -> exhibits
                                       -> bounds           ->
"""

import gc

from snakemake.utils import min_version

min_version("9.27")

# Nearly all objects of a plan stay to its end: by default, looking for garbage among them takes a
# fifth of the time.
gc.set_threshold(100_000)


# A study given with --configfile replaces the demo; Snakemake would merge the two.
if not workflow.overwrite_configfiles:

    configfile: f"{workflow.basedir}/config/config.yaml"


pathvars:
    logs="<results>/logs",
    benchmarks="<results>/benchmarks",


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/membership.smk"
include: "rules/models.smk"
include: "rules/signals.smk"
include: "rules/scores.smk"
include: "rules/metrics.smk"
include: "rules/bounds.smk"
include: "rules/exhibits.smk"


report: "config/report.rst"


# Under its default limit of 100 new jobs a second, Snakemake looks through all that wait once a second
# for every job that has ended. Cores and --jobs limit enough; a limit that was asked for stays.
onstart:
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


localrules:
    all,
    figures,
    list_attacks,
    tables,


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
        rules.describe_run.output,
