"""AUC of attacks side by side, a row for each target cohort (ye2022 Tables 2, 4, 5, 6)."""

from typing import Literal

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.exhibits.tables import common

READS = ("metrics", "scale", "canaries")
ACCURACIES = {"train_accuracy": "Train accuracy", "test_accuracy": "Test accuracy"}


def tabulate(
    evidence: Evidence,
    *,
    heading: str = "Target models",
    over: Literal["mean", "pooled"] = "mean",
    cohort_names: dict = {},
):
    """Return the numbers and the table shown: accuracies, AUC with its interval by attack.

    Audits of one target cohort share a row: attack D's has other shadow models than R's. An
    attack that was not run on a cohort has a dash. Accuracies are means over all models of the
    cohort, with their standard deviation. Columns of the numbers: cohort, audit, label, targets,
    auc, auc_low, auc_high, auc_deviation (over targets), train_accuracy, test_accuracy and their
    deviations.

    `heading`: the title of the first column. `over`: the mean over the targets, or one threshold
    for all of them (pooled). `cohort_names`: cohort -> the name shown.
    """
    rows, numbers = {}, []
    for audit, label in evidence.pairs():
        result = evidence.result(audit, label)
        cohort, auc = result["target_cohort"], estimate(result, "auc", over=over)
        first, accuracies = _accuracies(evidence.scale.get(cohort, {}))
        row = rows.setdefault(cohort, {heading: cohort_names.get(cohort, cohort), **first})
        if evidence.names[label] in row:
            raise ValueError(f"{label}: two audits of {cohort} have run it")
        row[evidence.names[label]] = common.number(auc)
        each = [target["auc"]["value"] for target in result["targets"]]
        deviation = float(np.std(each, ddof=1)) if len(each) > 1 else float("nan")
        place = {"cohort": cohort, "audit": audit, "label": label, "targets": len(each)}
        values = {**common.values("auc", auc), "auc_deviation": deviation}
        numbers.append({**place, **values, **accuracies})
    columns = [heading, *ACCURACIES.values(), *dict.fromkeys(evidence.names.values())]
    shown = pd.DataFrame([dict.fromkeys(columns, common.NONE) | row for row in rows.values()])
    shown.attrs["notes"] = common.notes(evidence.metrics, over, [])
    return pd.DataFrame(numbers), shown


def _accuracies(scale):
    """Return the cells and the numbers of a cohort's accuracies; dashes where none are recorded."""
    cells, numbers = {}, {}
    for key, name in ACCURACIES.items():
        each = np.asarray(scale.get(key, []), np.float64)
        mean = float(each.mean()) if len(each) else float("nan")
        deviation = float(each.std(ddof=1)) if len(each) > 1 else float("nan")
        numbers |= {key: mean, f"{key}_deviation": deviation}
        if len(each):
            spread = f" ± {100 * deviation:.1f}" if len(each) > 1 else ""
            cells[name] = f"{100 * mean:.1f}{spread} %"
    return cells, numbers
