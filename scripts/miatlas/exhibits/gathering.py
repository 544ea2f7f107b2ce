"""Reading what an exhibit is drawn from: each kind of evidence out of its files."""

import json
from pathlib import Path

import pandas as pd

from miatlas.exhibits.evidence import CURVE_COLUMNS, Evidence
from miatlas.running.store import attributes, opened, read_h5
from miatlas.signals.answers import Signals


def gather(settings: dict, files: dict[str, list]) -> Evidence:
    """Return the evidence in these files, by kind; `settings["attacks"]` gives the names shown.

    Who reads "canaries" has their results beside those of all examples.
    """
    names = {label: shown for label, shown in settings["attacks"]}
    found = {kind: READ[kind](paths, settings) for kind, paths in files.items() if kind in READ}
    evidence = Evidence(names, **found)
    return evidence.beside_canaries() if "canaries" in settings.get("reads", ()) else evidence


def _metrics(paths, _):
    return [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]


def _curves(paths, _):
    """Return all ROC curves as one table; a file is named <audit>/<label>.roc.csv."""
    tables = []
    for path in map(Path, paths):
        table = pd.read_csv(path, dtype={"target": str})
        label = path.name.removesuffix(".roc.csv")
        tables.append(table.assign(audit=path.parent.name, label=label))
    return pd.concat(tables, ignore_index=True)[CURVE_COLUMNS]


def _scores(paths, _):
    names = ["scores", "member", "evaluated", "targets"]
    return {(path.parent.name, path.stem): read_h5(path, names) for path in map(Path, paths)}


def _signals(paths, _) -> dict:
    """Return a cohort's answers to the untouched examples, with what is known of the examples."""
    cohort = Signals(paths)
    everything = slice(0, cohort.shape[1])
    names = attributes(paths[0]).get("class_names")
    return {
        "phi": cohort.read("phi", everything, last=1)[..., 0],
        "member": cohort.member,
        "evaluated": cohort.evaluated,
        "labels": cohort.labels,
        "role": cohort.role,
        "canary": cohort.canary.astype(bool),
        "class_names": json.loads(names) if names else None,
    }


def _beside(paths, settings) -> dict[str, dict]:
    """Return the signals of several cohorts, by name."""
    cohorts = {}
    for path in paths:
        cohorts.setdefault(Path(path).parts[-3], []).append(path)
    return {name: _signals(files, settings) for name, files in cohorts.items()}


def _published(paths, _):
    """Return the values of the paper as text: its digits tell the rounding."""
    return pd.read_csv(paths[0], dtype=str, keep_default_na=False)


def _scale(paths, settings) -> dict[str, dict]:
    """Return what each cohort is, with the accuracies (M) of its models by their histories."""
    scale = {name: dict(facts) for name, facts in settings["scale"].items()}
    last = {}
    for path in map(Path, paths):
        if path.suffix == ".h5":  # the membership of a cohort's first block
            with opened(path) as file:
                facts = {"training_examples": int(file.attrs["size"])}
                facts["population"] = file["member"].shape[1]
            scale[path.parts[-3]] |= facts
        else:
            rows = pd.read_csv(path).dropna(subset=["train_accuracy"])
            last.setdefault(path.parts[-3], []).append(rows)
    for name, tables in last.items():
        table = pd.concat(tables)
        for key in ("train_accuracy", "test_accuracy"):
            scale[name][key] = table[key].tolist()
    return scale


def _costs(paths, settings) -> pd.DataFrame:
    """Return a row per audit, label and stage: models, seconds and memory, by the benchmarks."""
    measured = {}  # (rule, cohort or audit) -> what was measured, a row a job
    for path in map(Path, paths):
        rule, group, job = path.with_suffix("").parts[-3:]
        measured.setdefault((rule, group), []).append(pd.read_csv(path, sep="\t").assign(job=job))
    rows = []
    for audit, sides in settings["sides"].items():
        cohorts = {side: name for side, name in sides.items() if ("train_models", name) in measured}
        stages = {f"{side} training": ("train_models", [name]) for side, name in cohorts.items()}
        stages["queries"] = ("query_models", sorted(set(cohorts.values())))
        scoring = pd.concat(measured["score_attack", audit])
        for label, own in scoring.groupby("job", sort=False):
            rows.append({"audit": audit, "label": label, **_cost("scoring", own, 0)})
            for stage, (rule, names) in stages.items():
                spent = pd.concat([table for name in names for table in measured[rule, name]])
                models = sum(settings["scale"][name]["models"] for name in names)
                rows.append({"audit": audit, "label": label, **_cost(stage, spent, models)})
    return pd.DataFrame(rows)


def _cost(stage, jobs, models):
    seconds, memory = float(jobs["s"].sum()), float(jobs["max_rss"].max())
    return {"stage": stage, "models": models, "seconds": seconds, "max_rss_mb": memory}


def _bounds(paths, _):
    return {path.stem: pd.read_csv(path) for path in map(Path, paths)}


READ = {
    "metrics": _metrics, "curves": _curves, "scores": _scores, "signals": _signals,
    "beside": _beside, "published": _published, "scale": _scale, "costs": _costs, "bounds": _bounds,
}  # fmt: skip
