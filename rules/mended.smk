"""What is mended in Snakemake: slow plans, and failures without their reason."""

import gc
from functools import cache

from snakemake import sourcecache
from snakemake.jobs import GroupJob
from snakemake.logging import logger

# Nearly all objects of a plan stay to its end: by default, looking for garbage among them takes a
# fifth of the time.
gc.set_threshold(100_000)


# Snakemake asks three times for every job where its script is, and makes a class each time to tell.
if hasattr(sourcecache, "parse_uri"):
    sourcecache.parse_uri = cache(sourcecache.parse_uri)


# Under its default limit of 100 new jobs a second, Snakemake looks through all that wait once a second
# for every job that has ended. Cores and --jobs limit enough; a limit that was asked for stays.
onstart:
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def with_reason(log_error):
    """Say why a group of jobs failed, or what a cluster answered to it: Snakemake drops that."""

    def log(group, msg=None, **more):
        if msg:
            logger.error(f"Group {group.groupid}: {msg}")
        log_error(group, msg, **more)

    return log


GroupJob.log_error = with_reason(GroupJob.log_error)
