"""Attacks side by side: TPR at low FPRs, balanced accuracy, AUC (carlini2022 Table I)."""

from typing import Literal

import pandas as pd

from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.exhibits.scored_pairs import by_target_cohort
from miatlas.exhibits.tables import common
from miatlas.leakage.levels import Level

READS = ("metrics", "canaries")


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

    What was measured on canaries alone has rows of its own. Where there are several audits, each
    begins with a row that says only its name; `by` target_cohort: those of one target cohort share
    the rows, and `audit_names` names cohorts.
    `levels`: FPRs, of those evaluated; `overall`: balanced accuracy and AUC as well. TPR and
    balanced accuracy stand at the best threshold in hindsight and, where an audit has several
    targets, beside it at the transferred one. `attrs["notes"]` of the table shown are the lines
    that belong below it.

    `over`: the mean over the targets, or one threshold for all of them (pooled).
    """
    numbers, shown, everything, groups = [], [], [], _groups(evidence, by)
    several = common.is_transferred(evidence)
    for group, pairs in groups.items():
        if len(groups) > 1:
            shown.append({"Attack": audit_names.get(group, group)})
        for audit, label in pairs:
            result, name = evidence.result(audit, label), evidence.names[label]
            row, cells = {"audit": audit, "label": label, "name": name}, {"Attack": name}
            asked = [("tpr", level) for level in levels] + [("balanced_accuracy", None)] * overall
            for quantity, level in asked:
                found = common.side_by_side(result, quantity, level, over)
                prefix = f"tpr_at_{level:g}" if level else quantity
                row |= common.both_values(prefix, *found, fpr=bool(level))
                heading = common.heading(level) if level else "Balanced accuracy"
                cells |= common.both_cells(heading, *found, several)
                everything.append(found[0])
            if overall:
                auc = estimate(result, "auc", over=over)
                row |= common.values("auc", auc)
                cells["AUC"] = common.number(auc)
            shown.append(cells)
            numbers.append(row)
    shown = pd.DataFrame(shown).fillna("")
    shown.attrs["notes"] = common.notes(evidence.metrics, over, everything, several)
    return pd.DataFrame(numbers), shown


def _groups(evidence, by):
    if by == "target_cohort":
        return by_target_cohort(evidence)
    groups = {}
    for audit, label in evidence.pairs():
        groups.setdefault(audit, []).append((audit, label))
    return groups
