"""AUC by the target's training and by that of its shadow models (shi2024 Fig. 12b)."""

import pandas as pd

from miatlas.exhibits import guesses
from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.exhibits.tables import common

READS = ("metrics",)


def tabulate(evidence: Evidence, *, trained_as: dict[str, str] = {}, cohort_names: dict = {}):
    """Return the numbers and the table shown, a row a target cohort, a column a shadow cohort.

    AUC is the mean over the targets, with its 95 % interval for this population. `trained_as`:
    shadow cohorts of their own, by the target cohort whose training they share. Columns of the
    numbers: target, shadow, audit, label, auc, auc_low, auc_high.

    `cohort_names`: cohort -> the name shown.
    """
    results = guesses.by_cohorts(evidence, trained_as)
    targets, shadows = guesses.sides(results)
    found = {pair: estimate(result, "auc") for pair, result in results.items()}
    numbers = [
        {"target": target, "shadow": shadow, "audit": result["audit"], "label": result["label"]}
        | common.values("auc", found[target, shadow])
        for (target, shadow), result in results.items()
    ]
    names = {cohort: cohort_names.get(cohort, cohort) for cohort in (*targets, *shadows)}
    shown = pd.DataFrame(
        {"Target": names[target]} | {names[s]: _cell(found.get((target, s))) for s in shadows}
        for target in targets
    )
    columns = "A row for the targets' training, a column for that of the shadow models."
    shown.attrs["notes"] = [columns, *common.notes(evidence.metrics, "mean", [])]
    return pd.DataFrame(numbers), shown


def _cell(found):
    return common.number(found) if found else common.NONE
