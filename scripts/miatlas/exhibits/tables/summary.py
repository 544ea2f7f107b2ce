"""Attacks side by side: TPR at low FPRs, balanced accuracy, AUC (carlini2022 Table I)."""

from typing import Literal

import pandas as pd

from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.exhibits.scored_pairs import by_target_cohort
from miatlas.exhibits.tables import common
from miatlas.leakage.levels import Level


def tabulate(
    evidence: Evidence,
    *,
    levels: list[Level] = [0.001, 0.01],
    overall: bool = True,
    over: Literal["mean", "pooled"] = "mean",
    by: Literal["audit", "target_cohort"] = "audit",
    audit_names: dict = {},
):
    """Return the numbers and the table shown, a row for each audit and attack.

    Where there are several audits, each begins with a row that says only its name; `by`
    target_cohort: those of one target cohort share the rows, and `audit_names` names cohorts.
    `levels`: FPRs, of those evaluated; `overall`: balanced accuracy and AUC as well; `over` as in
    `exhibits.estimate`. `attrs["notes"]` of the table shown are the lines that belong below it.
    """
    numbers, shown, everything, groups = [], [], [], _groups(evidence, by)
    for group, pairs in groups.items():
        if len(groups) > 1:
            shown.append({"Attack": audit_names.get(group, group)})
        for audit, label in pairs:
            result, name = evidence.result(audit, label), evidence.names[label]
            tprs = {level: estimate(result, "tpr", level, over) for level in levels}
            row, cells = {"audit": audit, "label": label, "name": name}, {"Attack": name}
            for level, tpr in tprs.items():
                row |= common.values(f"tpr_at_{level:g}", tpr, fpr=True)
                cells[common.heading(level)] = common.rate(tpr)
            if overall:
                accuracy = estimate(result, "balanced_accuracy", over=over)
                auc = estimate(result, "auc", over=over)
                row |= common.values("balanced_accuracy", accuracy) | common.values("auc", auc)
                cells |= {"Balanced accuracy": common.rate(accuracy), "AUC": common.number(auc)}
            shown.append(cells)
            numbers.append(row)
            everything += tprs.values()
    shown = pd.DataFrame(shown).fillna("")
    shown.attrs["notes"] = common.notes(evidence.metrics, over, everything)
    return pd.DataFrame(numbers), shown


def _groups(evidence, by):
    if by == "target_cohort":
        return by_target_cohort(evidence)
    groups = {}
    for audit, label in evidence.pairs():
        groups.setdefault(audit, []).append((audit, label))
    return groups
