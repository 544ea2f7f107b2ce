"""Attacks side by side, with check marks for what each uses (carlini2022 Table I)."""

from itertools import product
from typing import Literal

import pandas as pd

from miatlas.audits.attack import load
from miatlas.exhibits.attack_uses import NAMES, uses
from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.exhibits.tables import common
from miatlas.leakage.levels import Level

READS = ("metrics", "scale", "attacks", "canaries")
YES, NO = "●", "○"
MARKS = f"{YES} used, {NO} not used."


def tabulate(
    evidence: Evidence,
    *,
    levels: list[Level] = [0.00001, 0.001],
    auc: bool = False,
    over: Literal["mean", "pooled"] = "mean",
    audit_names: dict = {},
):
    """Return the numbers and the table shown, a row for each attack (and for canaries alone).

    Columns: a mark for each of `uses.NAMES`, the TPR at each of `levels` and the balanced accuracy
    (and the `auc`), each for every audit, and beside it at the transferred threshold where an audit
    has several targets; a dash where an audit did not run the attack. `levels`, `over` and the
    notes as in `summary`. The numbers have a row for each attack and audit.

    `levels`: FPRs, of those evaluated, at which the TPR is shown. `over`: the mean over the
    targets, or one threshold for all of them (pooled). `audit_names`: audit -> the name shown.
    """
    pairs, numbers, shown, everything = evidence.pairs(), [], [], []
    several = common.is_transferred(evidence)
    asked = [("tpr", level) for level in levels] + [("balanced_accuracy", None)]
    asked += [("auc", None)] if auc else []
    for label, name in evidence.names.items():
        of_label = [evidence.result(*pair) for pair in pairs if pair[1] == label]
        if not of_label:
            continue
        each = [_marks(result, evidence.scale) for result in of_label]
        marks = {what: any(one[what] for one in each) for what in NAMES}  # in some audit
        cells = {"Attack": name, **{what: YES if used else NO for what, used in marks.items()}}
        rows = {r["audit"]: {"audit": r["audit"], "label": label, **marks} for r in of_label}
        for (quantity, level), audit in product(asked, evidence.audits()):
            column = _heading(quantity, level, audit, evidence.audits(), audit_names)
            cells |= common.no_cells(column, several and quantity != "auc")
            if audit not in rows:
                continue
            result = evidence.result(audit, label)
            if quantity == "auc":
                found = estimate(result, quantity, level, over)
                rows[audit] |= common.values(quantity, found)
                cells[column] = common.number(found)
            else:
                found, moved = common.side_by_side(result, quantity, level, over)
                prefix = f"tpr_at_{level:g}" if level else quantity
                both = common.both_values(prefix, found, moved, fpr=bool(level))
                rows[audit] |= both if several else common.values(prefix, found, fpr=bool(level))
                cells |= common.both_cells(column, found, moved, several)
            everything.append(found)
        numbers += rows.values()
        shown.append(cells)
    shown = pd.DataFrame(shown)
    shown.attrs["notes"] = [MARKS, *common.notes(evidence.metrics, over, everything, several)]
    return pd.DataFrame(numbers), shown


def _marks(result, scale) -> dict[str, bool]:
    """Return whether the attack of a result, with its options, uses each of `uses.NAMES`."""
    options = dict(result["options"])
    if "queries" in options and options["queries"] is None:  # all that the target answers
        options["queries"] = scale.get(result["target_cohort"], {}).get("queries")
    used = uses(load(result["attack"]).ATTACK, options)
    return {name: name in used for name in NAMES}


def _heading(quantity, level, audit, audits, audit_names):
    titles = {"balanced_accuracy": "Balanced accuracy", "auc": "AUC"}
    title = common.heading(level) if level else titles[quantity]
    return f"{title}, {audit_names.get(audit, audit)}" if len(audits) > 1 else title
