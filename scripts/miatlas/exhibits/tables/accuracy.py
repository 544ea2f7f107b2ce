"""How well the target models know what they trained on, and the test set (shi2024 Table 2)."""

import pandas as pd

from miatlas.exhibits.evidence import Estimate, Evidence
from miatlas.exhibits.tables import common
from miatlas.exhibits.verdicts import mean

READS = ("metrics", "scale")
KINDS = {"train_accuracy": "Train accuracy", "test_accuracy": "Test accuracy"}
NOTE = "Mean over the models of the cohort, with the 95 % interval of that mean."


def tabulate(
    evidence: Evidence,
    *,
    heading: str = "Target models",
    cohort_names: dict = {},
    architectures: bool = True,
):
    """Return the numbers and the table shown, a row for each target cohort of the audits.

    Accuracies are those of the released weights, as the training histories end with them.
    `architectures`: say which. Columns of the numbers: cohort, architecture, models,
    training_examples, and each accuracy with its interval.

    `heading`: the title of the first column. `cohort_names`: cohort -> the name shown.
    """
    numbers, shown = [], []
    for cohort in dict.fromkeys(result["target_cohort"] for result in evidence.metrics):
        scale = evidence.scale[cohort]
        row = {"cohort": cohort, "architecture": scale["architecture"]}
        row |= {"models": scale.get("models"), "training_examples": scale.get("training_examples")}
        cells = {heading: cohort_names.get(cohort, cohort)}
        cells |= {"Architecture": scale["architecture"]} if architectures else {}
        cells["Training examples"] = _count(scale.get("training_examples"))
        for key, name in KINDS.items():
            each = [value for value in scale.get(key, []) if value == value]
            found = mean(each) if each else Estimate(*[float("nan")] * 3)
            row |= common.values(key, found)
            cells[name] = common.rate(found) if each else common.NONE
        numbers.append(row)
        shown.append(cells)
    shown = pd.DataFrame(shown)
    shown.attrs["notes"] = [NOTE]
    return pd.DataFrame(numbers), shown


def _count(size):
    return f"{size:,}" if size else common.NONE
