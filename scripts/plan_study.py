"""Say what a run will take: models, jobs, hours, gigabytes. Arguments are Snakemake's.

Not a rule's script: `make plan STUDY=...` starts it. It asks Snakemake for a dry run.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

from miatlas.study import contents, plan, private_cohorts, reading, study_files

DEMO = Path(__file__).parents[1] / "config/config.yaml"
NOTES = """
core-hours: of jobs without a GPU; GPU-hours: of jobs that ask for one (--resources gpu=4).
An earlier run: of the very same job, though its settings, code or data may have changed since.
Neighbours: the mean over other blocks of a cohort, other attacks of an audit. Nothing: these jobs
are in no sum. Records do not say on which machine or device they were made: they hold for one like
it. GB: new files, measured on those of earlier runs and of neighbours. GB of memory: what the
largest of the jobs took, by the same records; training and queries ask for half more."""


def main(arguments: list[str]) -> int:
    """Print the plan of the run that Snakemake would make with these arguments; return a status."""
    command = [sys.executable, "-m", "snakemake", *arguments, "--dry-run"]
    utf8 = os.environ | {"PYTHONUTF8": "1"}
    said = subprocess.run(command, capture_output=True, encoding="utf-8", env=utf8, check=False)
    if said.returncode:
        print(said.stdout + said.stderr, file=sys.stderr)
        return said.returncode
    text = said.stdout + said.stderr
    jobs = plan.announced(text)
    study = configured(arguments)
    for warning in private_cohorts.warnings(study):
        print(f"miatlas: {warning}", file=sys.stderr)
    print(models(study, jobs))
    if not jobs:
        print("Everything is made: nothing to run (--forceall counts it all again).")
        return 0
    root = re.search(r"^ *Working directory: (.*)$", text, flags=re.M)
    rows = plan.estimate(jobs, Path(root[1] if root else "."))
    print(plan.table(rows) + "\n" + NOTES)
    unknown = {rule: row.unknown for rule, row in rows.items() if row.unknown}
    first = "query_models" if "query_models" in unknown else "train_models"  # asks for training too
    for rule in ("probe_models", first):
        if rule in unknown:
            print(advice(rule, unknown[rule]))
    return 0


def configured(arguments: list[str]) -> dict:
    """Return the study that the arguments name, the files merged as Snakemake does."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--configfile", "--configfiles", nargs="+", default=[DEMO])
    parser.add_argument("--config", nargs="+", default=[])
    known, _ = parser.parse_known_args(arguments)
    config = study_files.together(known.configfile)
    for entry in known.config:
        key, value = entry.split("=", 1)
        config[key] = yaml.safe_load(value)
    return reading.read(config, [Path(file).parent for file in known.configfile])


def models(study: dict, jobs: list[plan.Job]) -> str:
    """Say how many models the study has, and how many of them are to be trained."""
    lines, total = [], [0, 0]
    for name in contents.trained(study):
        cohort = study["cohorts"][name]
        folder = f"/cohorts/{name}/models/"
        blocks = sum(job.rule == "train_models" and folder in job.outputs[0] for job in jobs)
        todo = blocks * cohort["block"]
        total = [total[0] + cohort["models"], total[1] + todo]
        lines.append(
            f"  {name}: {cohort['models']} models of recipe {cohort['recipe']}"
            f" on {cohort['population']}, {todo} to be trained ({cohort['block']} to a job)"
        )
    head = f"Study {study['study']}: {total[0]:,} models, {total[1]:,} to be trained"
    return "\n".join([head, *lines, ""])


def advice(rule: str, unknown: list[plan.Job]) -> str:
    """Say how to get a record of what has none: the first job of every cohort."""
    first = {}
    for output in sorted((job.outputs[0] for job in unknown), key=lambda name: (len(name), name)):
        first.setdefault(Path(output).parent, output)
    files = " ".join(map(shlex.quote, sorted(first.values())))
    return f"\n{rule}: no record for {len(unknown)} jobs. Make these, and plan again:\n{files}"


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # for terminals that know fewer letters
    sys.exit(main(sys.argv[1:]))
