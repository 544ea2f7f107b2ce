"""List the jobs of a run for a machine without Snakemake: `list_jobs.py jobs.json [arguments]`.

Not a rule's script. The arguments are Snakemake's (`--cores 1 --configfile mine.yaml`); what is
made already is not listed. There, `run_jobs.py jobs.json` runs them.
"""

import json
import os
import sys
from pathlib import Path

from snakemake.cli import main as snakemake
from snakemake.scheduling.job_scheduler import JobScheduler


def main(file: str, arguments: list[str]) -> None:
    """Write the jobs that Snakemake would run, in an order in which they can be run."""

    def schedule(scheduler) -> bool:
        dag = scheduler.workflow.dag
        needed = {id(job) for job in dag.needrun_jobs()}
        jobs = [job for level in dag.toposorted() for job in level if id(job) in needed]
        listed = [described(job) for job in jobs if job.rule.script]
        Path(file).write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
        print(f"{file}: {len(listed)} jobs")
        os._exit(0)  # Snakemake would look for the files that nobody has made

    JobScheduler.schedule = schedule
    snakemake([*arguments, "--quiet", "all"])


def described(job) -> dict:
    """Return what a job's script reads of `snakemake`, as plain data."""
    return {
        "rule": job.rule.name,
        "script": Path(str(job.rule.script)).name,
        **{kind: named(getattr(job, kind)) for kind in ("input", "output", "log")},
        "settings": job.params.get("settings"),
        "threads": job.threads,
        "resources": {"mem_mb": int(job.resources.get("mem_mb", 1000))},
    }


def named(files) -> dict:
    """Return files as a list, and what names belong to which of them."""
    places = {name: [start, end] for name, (start, end) in files._get_names()}
    return {"files": [str(file) for file in files], "names": places}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
