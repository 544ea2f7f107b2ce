"""An attack built up step by step: TPR at low FPRs (carlini2022 Table II, III, V to VIII)."""

from itertools import product
from typing import Literal

import pandas as pd

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.tables import common
from miatlas.leakage.levels import Level

READS = ("metrics", "canaries")
KEYS = {"attack", "name", "group"}


def tabulate(
    evidence: Evidence,
    *,
    rows: list[dict] = [],
    heading: str = "Attack approach",
    levels: list[Level] = [0.001],
    over: Literal["mean", "pooled"] = "mean",
    columns: Literal["audit", "level"] = "audit",
    audit_names: dict = {},
):
    """Return the numbers and the table shown, a row for each step, columns for each audit.

    `columns` level: audits share the columns, where each attack is of one audit alone (such as one
    cohort asked about more queries than another).

    `rows`: mappings with `attack` (a label, which may come back), `name` (default: the label's),
    and `group` where a new group begins, with a row of its name alone; default: all attacks.
    `levels`, `over`, the transferred thresholds and the notes as in `summary`. An audit that did
    not run a row's attack has a dash there.

    `heading`: the title of the first column. `audit_names`: audit -> the name shown. `levels`:
    FPRs, of those evaluated, at which the TPR is shown. `over`: the mean over the targets, or one
    threshold for all of them (pooled).
    """
    rows = _checked(rows or [{"attack": label} for label in evidence.names], evidence.names)
    pairs, shared = evidence.pairs(), columns == "level"
    several = len(evidence.audits()) > 1 and not shared
    _check_shared(pairs, shared)
    moved = common.is_transferred(evidence)
    numbers, shown, everything, group = [], [], [], ""
    for row in rows:
        label, group = row["attack"], row.get("group", group)
        cells = {heading: row.get("name", evidence.names[label])}
        shown += [{heading: group}] if "group" in row else []
        audits = [a for a in evidence.audits() if not shared or (a, label) in pairs]
        for audit, level in product(audits, levels):
            suffix = f", {audit_names.get(audit, audit)}" if several else ""
            column = common.heading(level) + suffix
            cells |= common.no_cells(column, moved)
            if (audit, label) in pairs:
                found = common.side_by_side(evidence.result(audit, label), "tpr", level, over)
                place = {"group": group, "name": cells[heading], "audit": audit, "label": label}
                numbers.append({**place, "fpr": level, **common.both_values("tpr", *found)})
                cells |= common.both_cells(column, *found, moved)
                everything.append(found[0])
        shown.append(cells)
    shown = pd.DataFrame(shown).fillna("")
    shown.attrs["notes"] = common.notes(evidence.metrics, over, everything, moved)
    return pd.DataFrame(numbers), shown


def _check_shared(pairs, shared):
    labels = [label for _, label in pairs]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if shared and twice:
        raise ValueError(f"columns: audits cannot share them, since several have run {twice}")


def _checked(rows, names):
    for row in rows:
        unknown = sorted(set(row) - KEYS)
        if unknown:
            raise ValueError(f"rows: unknown key {unknown[0]!r}; allowed: attack, name, group")
        if row.get("attack") not in names:
            known = ", ".join(names)
            raise ValueError(f"rows: attack {row.get('attack')!r} is not of this exhibit: {known}")
    return rows
