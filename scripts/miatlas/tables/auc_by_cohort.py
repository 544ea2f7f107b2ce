"""AUC of attacks side by side, a row for each target cohort (ye2022 Tables 2, 4, 5, 6)."""

from typing import Literal

import numpy as np
import pandas as pd

from miatlas.exhibits import Evidence, estimate
from miatlas.tables import common


def tabulate(
    evidence: Evidence,
    *,
    heading: str = "Target models",
    over: Literal["mean", "pooled"] = "mean",
    cohort_names: dict = {},
):
    """Return the numbers and the table shown: AUC with its interval, a column for each attack.

    Audits of one target cohort share a row: attack D's has other shadow models than R's. `over` as
    in `exhibits.estimate`; an attack that was not run on a cohort has a dash. Columns of the
    numbers: cohort, audit, label, targets, auc, auc_low, auc_high, auc_deviation (over targets).
    """
    rows, numbers = {}, []
    for audit, label in evidence.pairs():
        result = evidence.result(audit, label)
        cohort, auc = result["target_cohort"], estimate(result, "auc", over=over)
        row = rows.setdefault(cohort, {heading: cohort_names.get(cohort, cohort)})
        if evidence.names[label] in row:
            raise ValueError(f"{label}: two audits of {cohort} have run it")
        row[evidence.names[label]] = common.number(auc)
        each = [target["auc"]["value"] for target in result["targets"]]
        deviation = float(np.std(each, ddof=1)) if len(each) > 1 else float("nan")
        place = {"cohort": cohort, "audit": audit, "label": label, "targets": len(each)}
        numbers.append({**place, **common.values("auc", auc), "auc_deviation": deviation})
    columns = [heading, *dict.fromkeys(evidence.names.values())]
    shown = pd.DataFrame(list(rows.values())).reindex(columns=columns).fillna(common.NONE)
    shown.attrs["notes"] = common.notes(evidence.metrics, over, [])
    return pd.DataFrame(numbers), shown
