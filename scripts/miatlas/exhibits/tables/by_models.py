"""Attacks by the number of auxiliary models they are given (shi2024 Table 5)."""

from typing import Literal

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import CANARIES, Evidence, estimate
from miatlas.exhibits.tables import common
from miatlas.leakage.levels import Level

READS = ("metrics", "canaries")


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

    What was measured on canaries alone has a row of its own below that of its number.
    `models`: label -> the number of models that the attack was given, all kinds together. `names`:
    attack -> the name shown. `level`, `over` and the notes as in `summary`. An attack that was not
    run with a number has a dash there. Columns of the numbers: attack, audit, label, models, and
    either measure with its interval.

    `heading`: the title of the first column. `level`: the FPR, of those evaluated, at which the TPR
    is shown. `over`: the mean over the targets, or one threshold for all of them (pooled).
    """
    labels = [label.removesuffix(CANARIES) for _, label in evidence.pairs()]
    if missing := [label for label in labels if label not in models]:
        raise ValueError(f"models: how many models was {missing[0]!r} given?")
    rows, numbers, everything = {}, [], []
    moved = common.is_transferred(evidence)
    for audit, label in evidence.pairs():
        result = evidence.result(audit, label)
        attack, count = result["attack"], models[label.removesuffix(CANARIES)]
        tprs = common.side_by_side(result, "tpr", level, over)
        auc = estimate(result, "auc", over=over)
        cells = common.both_cells(common.heading(level), *tprs, moved)
        cells["AUC"] = common.number(auc)
        row = rows.setdefault((count, label.endswith(CANARIES)), {})
        for measure, cell in cells.items():
            column = measure, names.get(attack, attack)
            if column in row:
                raise ValueError(f"{label}: {attack} was given {count} models twice")
            row[column] = cell
        place = {"attack": attack, "audit": audit, "label": label, "models": count}
        measured = common.both_values("tpr", *tprs) | common.values("auc", auc)
        numbers.append({**place, "fpr": level, **measured})
        everything.append(tprs[0])
    shown = _shown(rows, heading)
    shown.attrs["notes"] = common.notes(evidence.metrics, over, everything, moved)
    numbers = pd.DataFrame(numbers).sort_values(["models", "attack", "label"], ignore_index=True)
    return numbers, shown


def _shown(rows, heading):
    measures = list(dict.fromkeys(measure for row in rows.values() for measure, _ in row))
    attacks = list(dict.fromkeys(attack for row in rows.values() for _, attack in row))
    return pd.DataFrame(
        [
            {heading: f"{count}{CANARIES if canaries else ''}"}
            | {f"{m}, {a}": row.get((m, a), common.NONE) for m in measures for a in attacks}
            for (count, canaries), row in sorted(rows.items())
        ]
    ).replace(np.nan, common.NONE)
