"""Attacks side by side: TPR at low FPRs, balanced accuracy, AUC (carlini2022 Table I)."""

from typing import Literal

import pandas as pd

from miatlas.exhibits import Evidence, estimate
from miatlas.tables import common


def tabulate(
    evidence: Evidence,
    *,
    levels: list[float] = [0.001, 0.01],
    over: Literal["mean", "pooled"] = "mean",
    audit_names: dict = {},
):
    """Return the numbers and the table shown, a row for each audit and attack.

    Where there are several audits, each begins with a row that says only its name.
    `levels`: FPRs, of those evaluated; `over` as in `exhibits.estimate`. `attrs["notes"]` of the
    table shown are the lines that belong below it.
    """
    numbers, shown, everything, audits = [], [], [], []
    for audit, label in evidence.pairs():
        result = evidence.result(audit, label)
        tprs = {level: estimate(result, "tpr", level, over) for level in levels}
        accuracy = estimate(result, "balanced_accuracy", over=over)
        auc = estimate(result, "auc", over=over)
        row = {"audit": audit, "label": label, "name": evidence.names[label]}
        for level, tpr in tprs.items():
            row |= common.values(f"tpr_at_{level:g}", tpr, fpr=True)
        row |= common.values("balanced_accuracy", accuracy) | common.values("auc", auc)
        cells = {common.heading(level): common.rate(tpr) for level, tpr in tprs.items()}
        last = {"Balanced accuracy": common.rate(accuracy), "AUC": common.number(auc)}
        if len(evidence.audits()) > 1 and audit not in audits:
            shown.append({"Attack": audit_names.get(audit, audit)})
        audits.append(audit)
        shown.append({"Attack": evidence.names[label], **cells, **last})
        numbers.append(row)
        everything += tprs.values()
    shown = pd.DataFrame(shown).fillna("")
    shown.attrs["notes"] = common.notes(evidence.metrics, over, everything)
    return pd.DataFrame(numbers), shown
