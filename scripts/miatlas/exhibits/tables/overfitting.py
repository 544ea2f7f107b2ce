"""Leakage by the size of the target's training set, and how far it overfits (shi2024 Table 9)."""

import pandas as pd

from miatlas.exhibits import accuracies
from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.exhibits.tables import common
from miatlas.leakage.levels import Level

READS = ("metrics", "scale")
NOTE = "Gap: train minus test accuracy, mean over the targets."


def tabulate(evidence: Evidence, *, levels: list[Level] = [0.01]):
    """Return the numbers and the table shown: a row for each audit and attack, by that size.

    AUC and the TPR at FPRs are means over the targets, at the best threshold in hindsight. Columns
    of the numbers: audit, label, cohort, training_examples, accuracy_gap, auc, tpr_at_<level>, each
    with its interval.

    `levels`: FPRs, of those evaluated, at which the TPR is shown.
    """
    rows = [_row(evidence, pair, levels) for pair in evidence.pairs()]
    rows = sorted(rows, key=lambda row: row[0]["training_examples"])
    shown = pd.DataFrame([cells for _, cells in rows])
    if len(evidence.names) == 1:
        shown = shown.drop(columns="Attack")
    shown.attrs["notes"] = [NOTE, *common.notes(evidence.metrics, "mean", [])]
    return pd.DataFrame([numbers for numbers, _ in rows]), shown


def _row(evidence, pair, levels):
    result = evidence.result(*pair)
    cohort = result["target_cohort"]
    scale = evidence.scale[cohort]
    gap, auc = accuracies.of_cohort(scale, "accuracy_gap"), estimate(result, "auc")
    size = scale["training_examples"]
    row = {"audit": pair[0], "label": pair[1], "cohort": cohort, "training_examples": size}
    row |= common.values("accuracy_gap", gap) | common.values("auc", auc)
    cells = {"Training examples": f"{size:,}", "Attack": evidence.names[pair[1]]}
    cells |= {"Train - test accuracy": common.rate(gap), "AUC": common.number(auc)}
    for level in levels:
        tpr = estimate(result, "tpr", level)
        row |= common.values(f"tpr_at_{level:g}", tpr, fpr=True)
        cells[common.heading(level)] = common.rate(tpr)
    return row, cells
