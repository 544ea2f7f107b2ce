"""The workflow: how long Snakemake takes over a study, against a bare workflow of its shape.

The bare one has the same number of jobs, files and edges, and nothing else: no functions, params,
logs or resources, literal names, and the same profile: the dry run of a study of 10,000 jobs of
which nothing has run, and a run when all of it is there. Then the demo itself: its run from
scratch, against the time that its jobs recorded, and a run that finds nothing to do, against an
empty workflow.
"""

import csv
import json
import re
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

from measuring import HERE, REPOSITORY, comparison, in_turn, process

LARGE = {"cohorts": 13, "blocks": 256, "attacks": ["loss", "lira_online", "lira_offline"]}
SMALL = {"cohorts": 1, "blocks": 1, "attacks": ["loss"]}
MODELS = 2  # in a block
CORES = 2
EMPTY = "rule all:\n    default_target: True\n    input: 'Snakefile'\n"

BARE = """
COHORTS = {cohorts}
BLOCKS = {blocks}
ATTACKS = {attacks}
PAIRS = [f"{{a}}/{{l}}" for a in COHORTS for l in ATTACKS]
rule all:
    default_target: True
    input:
        expand("results/exhibits/{{e}}.{{kind}}", e=COHORTS, kind=["svg", "pdf", "png", "csv"]),
        "results/exhibits/answer.html",
        "results/exhibits/provenance.html",
rule prepare_population:
    output: "results/populations/digits.h5"
    shell: "touch {{output}}"
rule assign_roles:
    input: "results/populations/digits.h5"
    output: "results/cohorts/{{c}}/roles.h5"
    shell: "touch {{output}}"
rule draw_membership:
    input: "results/cohorts/{{c}}/roles.h5"
    output: "results/cohorts/{{c}}/membership/{{b}}.h5"
    shell: "touch {{output}}"
rule train_models:
    input:
        "results/populations/digits.h5",
        "results/cohorts/{{c}}/roles.h5",
        "results/cohorts/{{c}}/membership/{{b}}.h5",
    output:
        "results/cohorts/{{c}}/models/{{b}}.safetensors",
        "results/cohorts/{{c}}/models/{{b}}.history.csv",
    shell: "touch {{output}}"
rule query_models:
    input:
        "results/populations/digits.h5",
        "results/cohorts/{{c}}/roles.h5",
        "results/cohorts/{{c}}/membership/{{b}}.h5",
        "results/cohorts/{{c}}/models/{{b}}.safetensors",
    output: "results/cohorts/{{c}}/signals/{{b}}.h5"
    shell: "touch {{output}}"
rule score_attack:
    input:
        target=expand("results/cohorts/{{{{c}}}}/signals/{{b}}.h5", b=BLOCKS),
        shadow=expand("results/cohorts/{{{{c}}}}/signals/{{b}}.h5", b=BLOCKS),
    output: "results/audits/{{c}}/{{l}}.h5"
    shell: "touch {{output}}"
rule measure_leakage:
    input: "results/audits/{{c}}/{{l}}.h5"
    output: "results/audits/{{c}}/{{l}}.metrics.json", "results/audits/{{c}}/{{l}}.roc.csv"
    shell: "touch {{output}}"
rule draw_figure:
    input:
        expand("results/audits/{{{{e}}}}/{{l}}.metrics.json", l=ATTACKS),
        expand("results/audits/{{{{e}}}}/{{l}}.roc.csv", l=ATTACKS),
        {style!r},
    output: multiext("results/exhibits/{{e}}", ".svg", ".pdf", ".png", ".csv")
    shell: "touch {{output}}"
rule write_answer:
    input:
        expand("results/audits/{{p}}.metrics.json", p=PAIRS),
        expand("results/audits/{{p}}.roc.csv", p=PAIRS),
        expand("results/audits/{{p}}.h5", p=PAIRS),
        expand("results/cohorts/{{c}}/signals/{{b}}.h5", c=COHORTS, b=BLOCKS),
        {style!r},
    output: "results/exhibits/answer.html", "results/exhibits/answer.json"
    shell: "touch {{output}}"
rule describe_run:
    input:
        "results/populations/digits.h5",
        expand("results/cohorts/{{c}}/models/{{b}}.history.csv", c=COHORTS, b=BLOCKS),
    output: "results/exhibits/provenance.html"
    shell: "touch {{output}}"
"""


def measure(quick: bool) -> list[dict]:
    """Return the comparisons: the dry run of the large study, the demo's run, its run when done."""
    shape = {**LARGE, "cohorts": 2, "blocks": 3} if quick else LARGE
    repetitions = 1 if quick else 3
    with tempfile.TemporaryDirectory() as folder:
        sides = lay_out(Path(folder) / "large", shape)
        runs = in_turn({n: partial(dry_run, side) for n, side in sides.items()}, repetitions)
        planned = _entry("dry run of a study of {jobs:,} jobs", runs)
        agreement = planned["agreement"]
        title = f"run of a finished study of {agreement['this workflow']:,} jobs, nothing to do"
        runs = finished(sides, repetitions)
        made = comparison(title, runs, "process_seconds", agreement=agreement)
        sides = lay_out_demo(Path(folder) / "demo", quick)
        demo = sides["this workflow"]
        jobs = dry_run(demo)["jobs"]
        runs = {"this workflow": [{**from_scratch(demo), "jobs": jobs}]}
        runs["its jobs alone"] = [recorded(demo)]
        whole = _entry("the demo from scratch, {jobs:,} jobs", runs)
        runs = in_turn({n: partial(no_op, side) for n, side in sides.items()}, repetitions)
        agreement = {"of": "number of jobs", "this workflow": jobs, "empty workflow": 0}
        title = "run of the finished demo, nothing to do"
        idle = comparison(title, runs, "process_seconds", agreement=agreement)
    return [planned, made, whole, idle]


def _entry(title, runs):
    (own, ours), (other, alternative) = runs.items()
    jobs, bare = ours[0]["jobs"], alternative[0]["jobs"]
    if jobs != bare:
        raise RuntimeError(f"{own} has {jobs} jobs, but {other} has {bare}")
    agreement = {"of": "number of jobs", own: jobs, other: bare}
    return comparison(title.format(jobs=jobs), runs, "process_seconds", agreement=agreement)


def lay_out(folder: Path, shape: dict) -> dict[str, Path]:
    """Write both workflows' folders; each gets the same profile and a Snakefile or a study."""
    sides = {"this workflow": folder / "study", "bare workflow": folder / "bare"}
    for side in sides.values():
        shutil.copytree(REPOSITORY / "profiles", side / "profiles")
    (sides["this workflow"] / "study.json").write_text(json.dumps(study(**shape)))
    text = BARE.format(
        cohorts=list(study(**shape)["cohorts"]),
        blocks=list(range(shape["blocks"])),
        attacks=shape["attacks"],
        style=str(REPOSITORY / "config/miatlas.mplstyle"),
    )
    (sides["bare workflow"] / "Snakefile").write_text(text)
    return sides


def lay_out_demo(folder: Path, quick: bool) -> dict[str, Path]:
    """Write the folders of the demo, or with `quick` of a small study, and of an empty workflow."""
    sides = {"this workflow": folder / "study", "empty workflow": folder / "empty"}
    for side in sides.values():
        shutil.copytree(REPOSITORY / "profiles", side / "profiles")
    (sides["empty workflow"] / "Snakefile").write_text(EMPTY)
    demo = sides["this workflow"]  # a copy: code that is edited meanwhile gives it work to do
    for name in ("rules", "scripts", "config", "envs"):
        shutil.copytree(REPOSITORY / name, demo / name)
    shutil.copy(REPOSITORY / "Snakefile", demo)
    if quick:
        (demo / "study.json").write_text(json.dumps(study(**SMALL)))
    return sides


def study(cohorts: int, blocks: int, attacks: list[str]) -> dict:
    """Return a study: as many cohorts, blocks and attacks, and one figure for each cohort."""
    names = [f"c{index}" for index in range(cohorts)]
    recipe = {"architecture": {"name": "mlp", "widths": [8]}, "epochs": 1, "batch_size": 32}
    cohort = {"population": "digits", "recipe": "mlp", "design": {"name": "half", "group": MODELS}}
    figure = {"paper": "p", "title": "t", "figure": "roc", "attacks": attacks}
    return {
        "study": "bench",
        "populations": {"digits": {"source": "digits", "subset": 200}},
        "recipes": {"mlp": recipe},
        "cohorts": {n: {**cohort, "models": MODELS * blocks, "block": MODELS} for n in names},
        "attacks": {attack: {} for attack in attacks},
        "audits": {n: {"target": n, "attacks": attacks} for n in names},
        "exhibits": {n: {**figure, "audits": [n]} for n in names},
    }


def dry_run(side: Path) -> dict:
    """Plan a workflow; also return the number of jobs, without the target `all`."""
    result = snakemake(side, "--dry-run", "--quiet", "rules")
    total = re.search(r"^total +(\d+)", result.pop("text"), re.M)
    return {**result, "jobs": int(total[1]) - 1}


def finished(sides: dict[str, Path], repetitions: int) -> dict[str, list[dict]]:
    """Take the sides' files for made, then run them: there is nothing to do."""
    for side in sides.values():
        snakemake(side, program=[str(HERE / "finished.py")])
    return in_turn({name: partial(no_op, side) for name, side in sides.items()}, repetitions)


def from_scratch(side: Path) -> dict:
    """Run a workflow of which nothing is made."""
    result = snakemake(side)
    del result["text"]
    return result


def recorded(side: Path) -> dict:
    """Return what the jobs of a finished workflow recorded: their times, shared by the cores."""
    rows = []
    for path in (side / "results/benchmarks").rglob("*.tsv"):
        with open(path, newline="") as file:
            rows += csv.DictReader(file, delimiter="\t")
    seconds = sum(float(row["s"]) for row in rows) / CORES
    memory = [float(row["max_rss"]) for row in rows if row["max_rss"][:1].isdigit()]
    return {"process_seconds": seconds, "peak_mib": max(memory, default=0.0), "jobs": len(rows)}


def no_op(side: Path) -> dict:
    """Run a finished workflow; raise RuntimeError if it finds something to do."""
    result = snakemake(side)
    if "Nothing to be done" not in result.pop("text"):
        raise RuntimeError(f"the finished workflow {side.name} found something to do")
    return result


def snakemake(side: Path, *arguments: str, program=("-m", "snakemake")) -> dict:
    """Run Snakemake, or a program in its place, in a side's folder."""
    command = [sys.executable, *program, "--cores", str(CORES), *arguments]
    if not (side / "Snakefile").exists():
        command += ["--snakefile", str(REPOSITORY / "Snakefile")]
    if (side / "study.json").exists():
        command += ["--configfile", "study.json"]
    return process(command, side)
