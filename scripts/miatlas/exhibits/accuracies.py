"""How well a cohort's models know what they trained on, and the test set, with intervals."""

from miatlas.exhibits.evidence import Estimate
from miatlas.exhibits.verdicts import mean

KINDS = ("train_accuracy", "test_accuracy", "accuracy_gap")


def of_cohort(scale: dict, quantity: str) -> Estimate:
    """Return the mean over models of one of KINDS, with its interval over models.

    scale: what `Evidence.scale` has of the cohort. Raises ValueError where none are recorded.
    """
    train, test = scale.get("train_accuracy"), scale.get("test_accuracy")
    if not train or not test:
        raise ValueError("no accuracies are recorded")
    gap = [a - b for a, b in zip(train, test, strict=True)]
    each = dict(zip(KINDS, (train, test, gap), strict=True))[quantity]
    return mean(each, least=-1.0 if quantity == "accuracy_gap" else 0.0)
