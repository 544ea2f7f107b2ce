"""Reading what an exhibit is drawn from: metrics and curves of audits, or a cohort's signals."""

import json
from pathlib import Path

import pandas as pd

from miatlas.exhibits import Evidence
from miatlas.store import Signals, attributes


def gather(settings: dict, metrics, curves, signals) -> Evidence:
    """Return the evidence in these files; `settings["attacks"]` gives the names shown."""
    names = {label: shown for label, shown in settings["attacks"]}
    measured = [json.loads(Path(path).read_text()) for path in metrics]
    tables = [pd.read_csv(path, dtype={"target": str}) for path in curves]
    drawn = [
        table.assign(audit=entry["audit"], label=entry["label"])
        for table, entry in zip(tables, measured, strict=True)
    ]
    joined = pd.concat(drawn, ignore_index=True) if drawn else pd.DataFrame()
    return Evidence(names, measured, joined, _untouched(signals) if signals else None)


def _untouched(paths) -> dict:
    """Return a cohort's answers to the untouched examples, with what is known of the examples."""
    cohort = Signals(paths)
    phi = cohort.read("phi", slice(0, cohort.shape[1]), last=1)[..., 0]
    names = attributes(paths[0]).get("class_names")
    return {
        "phi": phi,
        "member": cohort.member,
        "labels": cohort.labels,
        "role": cohort.role,
        "class_names": json.loads(names) if names else None,
    }
