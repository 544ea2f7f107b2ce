"""How right a model is on those that it was trained on and on the others, and whether by chance.

SciPy is imported where it is used: jobs that train networks do not wait for it.
"""

import numpy as np

ERROR = 1e-3  # how often an answer that knows nothing may pass as one that does


def measured(logits: np.ndarray, labels: np.ndarray, member: np.ndarray, other: np.ndarray) -> dict:
    """Return accuracy and mean cross-entropy of one model on members and on the others.

    logits (N, C), labels (N,), member and other (N,) bool. Keys: train_accuracy, test_accuracy,
    train_loss, test_loss; NaN where there is no example.
    """
    from scipy.special import logsumexp

    right = logits.argmax(1) == labels
    logits = logits.astype(np.float64)
    loss = logsumexp(logits, axis=1) - np.take_along_axis(logits, labels[:, None], 1)[:, 0]
    result = {}
    for what, values in (("accuracy", right), ("loss", loss)):
        for side, mask in (("train", member), ("test", other)):
            result[f"{side}_{what}"] = float(values[mask].mean()) if mask.any() else np.nan
    return result


def at_chance(answers: np.ndarray, labels: np.ndarray) -> float | None:
    """Return the accuracy that knows nothing of the labels, if the answers have no more; else None.

    answers, labels (n,): classes. The accuracy of answers that are independent of the labels is
    the sum over classes of their shares in both; more is said to be known where so many right
    answers come of that in one of 1,000 cases only (binomial law).
    """
    from scipy.special import bdtrc

    classes = int(max(answers.max(), labels.max())) + 1
    shares = [np.bincount(each, minlength=classes) / len(labels) for each in (answers, labels)]
    chance, right = float(shares[0] @ shares[1]), int((answers == labels).sum())
    return None if bdtrc(right - 1, len(labels), chance) < ERROR else chance


def other_order(answers: np.ndarray, labels: np.ndarray) -> dict[int, int] | None:
    """Return label -> answer of the order of classes in which the answers are right; or None.

    That is the permutation with the most right answers; None unless it makes most of them right.
    """
    from scipy.optimize import linear_sum_assignment

    classes = int(max(answers.max(), labels.max())) + 1
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, answers), 1)
    rows, columns = linear_sum_assignment(-counts)
    moved = {int(r): int(c) for r, c in zip(rows, columns, strict=True) if r != c and counts[r, c]}
    return moved if moved and counts[rows, columns].sum() > len(labels) / 2 else None


def remark(found: dict) -> str | None:
    """Say that a model knows its members no better than others, which it should; None if it does.

    found: of `measured`. It may be that the list of members is another model's.
    """
    if (
        found["train_accuracy"] > found["test_accuracy"]
        and found["train_loss"] < found["test_loss"]
    ):
        return None
    return (
        f"its members are no easier to it than the others (accuracy {found['train_accuracy']:.1%}"
        f" and {found['test_accuracy']:.1%}, loss {found['train_loss']:.3f} and"
        f" {found['test_loss']:.3f}): is the list of members this model's?"
    )
