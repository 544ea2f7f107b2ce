"""What is mended in Snakemake: slow plans and jobs, failures without their reason, paths with odd letters.

A workflow that uses this one as a module, or several times, is mended once.
"""

import gc
import os
import shlex
import sys
from functools import cache, wraps

from snakemake import sourcecache
from snakemake.io import _IOFile, flag, is_flagged, local
from snakemake.jobs import GroupJob
from snakemake.logging import logger
from snakemake.persistence import PersistenceBase
from snakemake.script import PythonScript

# Nearly all objects of a plan stay to its end: by default, looking for garbage among them takes a
# fifth of the time.
gc.set_threshold(100_000)

SELDOM = "import atexit, gc; gc.set_threshold(20_000); atexit.register(gc.freeze)"


# Under its default limit of 100 new jobs a second, Snakemake looks through all that wait once a second
# for every job that has ended. Cores and --jobs limit enough; a limit that was asked for stays.
onstart:
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def mended(owner, name):
    """Replace a method of Snakemake's by what the decorated function makes of it, once a process."""

    def replace(make):
        old = getattr(owner, name, None)
        if old is not None and not hasattr(old, "mended"):
            new = wraps(old)(make(old))
            new.mended = True
            setattr(owner, name, new)

    return replace


# Snakemake asks three times for every job where its script is, and makes a class each time to tell.
mended(sourcecache, "parse_uri")(cache)


@mended(PythonScript, "get_preamble")
def unhurried(get_preamble):
    """Let a job look for garbage seldom, and not once more in all it imported when it ends.

    What it imports stays to its end: a third of the time that importing torch takes goes there.
    """

    def preamble(script):
        return f"{SELDOM}\n{get_preamble(script)}"

    return preamble


@mended(PersistenceBase, "_serialize_param_pandas")
def without_pandas(serialize):
    """Read pandas for a rule's params only where one may be its own: it takes a fifth of a start."""

    def written(persistence, value):
        if "pandas" in sys.modules:
            return serialize(persistence, value)
        return persistence._serialize_param_builtin(value)

    return written


@mended(_IOFile, "checksum")
def once(checksum):
    """Read a file once for its checksum, as long as nothing happens to it: every job asks that reads it."""
    known = {}

    async def taken(file, threshold=None, force=False, algorithm=None):
        try:
            facts = os.stat(file)
        except OSError:
            return await checksum(file, threshold, force, algorithm)
        marks = (
            facts.st_size,
            facts.st_mtime_ns,
            facts.st_ctime_ns,
            facts.st_ino,
            algorithm,
        )
        key = os.path.abspath(file), threshold, force
        if known.get(key, [None])[0] != marks:
            known[key] = marks, await checksum(file, threshold, force, algorithm)
        return known[key][1]

    return taken


@mended(GroupJob, "log_error")
def with_reason(log_error):
    """Say why a group of jobs failed, or what a cluster answered to it: Snakemake drops that."""

    def log(group, msg=None, **more):
        if msg:
            logger.error(f"Group {group.groupid}: {msg}")
        log_error(group, msg, **more)

    return log


def quoted(execute):
    """Quote the path of Python in a shell command: there is a space or an apostrophe in it."""

    def run(script, command, **words):
        if command.startswith("{py_exec} "):
            words["py_exec"] = shlex.quote(words["py_exec"])
        return execute(script, command, **words)

    return run


if shlex.quote(sys.executable) != sys.executable:
    mended(PythonScript, "_execute_cmd")(quoted)


@mended(sourcecache.LocalSourceFile, "format")
def as_it_is(fill_in):
    """Take a file that is there by its name: braces in its path are no place for a wildcard."""

    def name(file, **wildcards):
        return file if os.path.exists(file.path) else fill_in(file, **wildcards)

    return name


def brought(path):
    """Flag an input file that is no result: no caller's prefix, no wildcards in its name."""
    return flag(local(path), "brought")


@mended(_IOFile, "apply_wildcards")
def literal(fill_in):
    """Take the name of a file that was brought as it is."""

    def name(file, wildcards):
        return file if is_flagged(file, "brought") else fill_in(file, wildcards)

    return name
