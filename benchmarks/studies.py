"""Whole studies: a study from its start to its report, against the loop that a tutorial writes.

Both train as many models on halves of the same examples, by the same recipe, ask them about all
examples, run LOSS, LiRA and RMIA on the first two with all others as references, and write a page.
The workflow runs on two cores, each job on one thread; the loop is one process on one thread.
"""

import csv
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from measuring import REPOSITORY, child, comparison, in_turn, process
from training import differences

CORES, TARGETS = 2, 2
ATTACKS = {"lira_online": {}, "rmia": {"population": "all"}, "loss": {}}
LOCATION30 = {
    "title": "{models} MLPs 446-128-30 on Location30", "file": "location30/bangkok",
    "source": "location30", "options": {}, "filters": None,
    "models": 34, "block": 17, "epochs": 20, "lr": 0.1,
}  # fmt: skip
IMAGES = {
    "title": "{models} CNNs on 4,000 images of CIFAR-10", "file": "cifar-10-batches-py",
    "source": "cifar10", "options": {"subset": 4000}, "filters": 16,
    "models": 10, "block": 5, "epochs": 20, "lr": 0.05,
}  # fmt: skip
TINY = {"source": "digits", "options": {"subset": 300}, "models": 8, "block": 8, "epochs": 3}


def measure(quick: bool) -> list[dict]:
    """Return the comparisons; `quick` takes few models of a few digits.

    Raises FileNotFoundError without the files of both data sets in DATA_ROOT (default: data).
    """
    root = Path(os.environ.get("DATA_ROOT", REPOSITORY / "data")).absolute()
    entries = []
    for case in (LOCATION30, IMAGES):
        if not quick and not (root / case["file"]).exists():
            raise FileNotFoundError(f"{root / case['file']}: set DATA_ROOT to where it is")
        case = {**case, **TINY} if quick else case
        entries += compared(case, str(root), 1 if quick else 3)
    return entries


def compared(case: dict, data_root: str, repetitions: int) -> list[dict]:
    """Return the workflow's comparisons with the loop, tested after every epoch and untested."""
    title = case["title"].format(**case) + f", {case['epochs']} epochs"
    with tempfile.TemporaryDirectory() as folder:
        where = {"folder": folder, "data_root": data_root}
        child("tutorial.py", "prepare", source=case["source"], options=case["options"], **where)
        kept = {key: case[key] for key in ("filters", "models", "epochs", "lr")}
        loop = partial(child, "tutorial.py", "run", folder=folder, targets=TARGETS, **kept)
        sides = {
            "this workflow": partial(workflow, Path(folder), case, data_root),
            "a loop, tested after every epoch": partial(measured, loop, tested=True),
            "the loop, never tested": partial(measured, loop, tested=False),
        }
        own, *others = in_turn(sides, repetitions).items()
    return [entry(title, dict([own, other])) for other in others]


def entry(title: str, runs: dict[str, list[dict]]) -> dict:
    """Return the entry of two sides: by CPU time, with the ratio of their wall times beside it."""
    of = "accuracy on the examples that a model did not train on"
    facts = {"of": of, **differences(runs, "accuracies")}
    facts["leakage"] = {"of": "AUC of LiRA", **differences(runs, "aucs")}
    result = comparison(title, runs, "cpu_seconds", agreement=facts)
    own, other = (median(run["process_seconds"] for run in side) for side in runs.values())
    result["ratios"]["process_seconds"] = other / own
    return result


def measured(loop, tested: bool) -> dict:
    """Run the loop; its CPU time is that of the whole process, imports too."""
    run = loop(tested=tested)
    return {**run, "cpu_seconds": run["process_cpu_seconds"], "aucs": run["aucs"]["LiRA"]}


def workflow(folder: Path, case: dict, data_root: str) -> dict:
    """Run the study and its report in a folder of its own; measure both, and all their jobs."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        side = Path(place)
        (side / "study.json").write_text(json.dumps(study(case, data_root)))
        given = ["--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", "study.json"]
        start = [sys.executable, "-m", "snakemake", "--cores", str(CORES), *given]
        run = process([*start, "--report", "report.html", "--report-after-run"], side)
        return {
            **{key: run[key] for key in ("process_seconds", "peak_mib")},
            "cpu_seconds": run["process_cpu_seconds"],
            "accuracies": accuracies(side / "results/cohorts/models/models"),
            "aucs": aucs(side / "results/audits/models/lira_online.metrics.json"),
        }


def study(case: dict, data_root: str) -> dict:
    """Return the study: one cohort, three attacks, a figure and a table."""
    network = {"name": "mlp", "widths": [128]}
    if case["filters"]:
        network = {"name": "cnn", "filters": case["filters"], "stages": 3}
    recipe = {"architecture": network, "epochs": case["epochs"], "batch_size": 64}
    cohort = {"population": "examples", "recipe": "recipe", "models": case["models"]}
    shown = {"paper": "Leakage", "audits": ["models"], "attacks": list(ATTACKS)}
    return {
        "study": "bench", "seed": 0, "data_root": data_root,
        "populations": {"examples": {"source": case["source"], **case["options"]}},
        "recipes": {"recipe": {**recipe, "optimizer": {"name": "sgd", "lr": case["lr"]}}},
        "cohorts": {"models": {
            **cohort, "block": case["block"], "design": {"name": "half", "group": case["models"]},
        }},
        "attacks": ATTACKS,
        "audits": {"models": {"target": "models", "targets": TARGETS, "attacks": list(ATTACKS)}},
        "exhibits": {"curves": {**shown, "title": "ROC curves", "figure": "roc"},
                     "rates": {**shown, "title": "Rates", "table": "summary"}},
    }  # fmt: skip


def accuracies(models: Path) -> list[float]:
    """Return the models' accuracies on what they did not train on, by their histories."""
    rows = []
    for path in sorted(models.glob("*.history.csv")):
        with open(path, newline="") as file:
            rows += csv.DictReader(file)
    last = {int(row["model"]): row["test_accuracy"] for row in rows if row["test_accuracy"]}
    return [float(last[model]) for model in sorted(last)]


def aucs(metrics: Path) -> list[float]:
    """Return the AUC of every target."""
    return [target["auc"]["value"] for target in json.loads(metrics.read_text())["targets"]]
