"""Attacks by the number of auxiliary models they are given (shi2024 Table 5)."""

from typing import Literal

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.exhibits.tables import common
from miatlas.leakage.levels import Level


def tabulate(
    evidence: Evidence,
    *,
    models: dict = {},
    names: dict = {},
    level: Level = 0.01,
    over: Literal["mean", "pooled"] = "mean",
    heading: str = "Auxiliary models",
):
    """Return the numbers and the table shown: a row for each number, TPR and AUC of each attack.

    `models`: label -> the number of models that the attack was given, all kinds together. `names`:
    attack -> the name shown. `level`, `over` and the notes as in `summary`. An attack that was not
    run with a number has a dash there. Columns of the numbers: attack, audit, label, models, and
    either measure with its interval.
    """
    missing = [label for _, label in evidence.pairs() if label not in models]
    if missing:
        raise ValueError(f"models: how many models was {missing[0]!r} given?")
    rows, numbers, everything = {}, [], []
    for audit, label in evidence.pairs():
        result = evidence.result(audit, label)
        attack, count = result["attack"], models[label]
        found = {
            common.heading(level): estimate(result, "tpr", level, over),
            "AUC": estimate(result, "auc", over=over),
        }
        tpr, auc = found.values()
        row = rows.setdefault(count, {})
        for measure, value in found.items():
            column = measure, names.get(attack, attack)
            if column in row:
                raise ValueError(f"{label}: {attack} was given {count} models twice")
            row[column] = (common.number if measure == "AUC" else common.rate)(value)
        place = {"attack": attack, "audit": audit, "label": label, "models": count}
        measured = common.values("tpr", tpr, fpr=True) | common.values("auc", auc)
        numbers.append({**place, "fpr": level, **measured})
        everything.append(tpr)
    shown = _shown(rows, heading)
    shown.attrs["notes"] = common.notes(evidence.metrics, over, everything)
    return pd.DataFrame(numbers).sort_values(["models", "attack"], ignore_index=True), shown


def _shown(rows, heading):
    columns = sorted({c for row in rows.values() for c in row}, key=lambda c: c[0] == "AUC")
    measures = list(dict.fromkeys(measure for measure, _ in columns))
    attacks = list(dict.fromkeys(attack for row in rows.values() for _, attack in row))
    return pd.DataFrame(
        [
            {heading: str(count)}
            | {f"{m}, {a}": row.get((m, a), common.NONE) for m in measures for a in attacks}
            for count, row in sorted(rows.items())
        ]
    ).replace(np.nan, common.NONE)
