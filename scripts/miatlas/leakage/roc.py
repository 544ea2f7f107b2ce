"""The ROC curve of one attack on one target, in counts, and what is read off it."""

from dataclasses import dataclass

import numpy as np

from miatlas.leakage.intervals import of_auc


@dataclass(frozen=True)
class Roc:
    """All attainable (false positives, true positives), from (0, 0) to (nonmembers, members).

    One point for every distinct score: "member if score ≥ threshold"; thresholds[0] is +inf, above
    everything. Integers, so that nothing is rounded.
    """

    false_positives: np.ndarray  # (K,) int64, non-decreasing
    true_positives: np.ndarray  # (K,) int64, non-decreasing
    thresholds: np.ndarray  # (K,) float64, decreasing

    @property
    def members(self) -> int:
        return int(self.true_positives[-1])

    @property
    def nonmembers(self) -> int:
        return int(self.false_positives[-1])

    @property
    def tpr(self) -> np.ndarray:
        return self.true_positives / self.members

    @property
    def fpr(self) -> np.ndarray:
        return self.false_positives / self.nonmembers


def roc(scores: np.ndarray, member: np.ndarray) -> Roc:
    """Return the ROC curve of scores (n,), higher = member, against member bool (n,).

    Tied scores are one step. ±inf are scores like any other. Raises ValueError on NaN, and where
    there are no members or no non-members.
    """
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} of {scores.size} scores are NaN")
    if not member.any() or member.all():
        kind = "non-members" if member.any() else "members"
        raise ValueError(f"among the {scores.size} evaluated examples there are no {kind}")
    order = np.argsort(scores)[::-1]
    return of_sorted(scores[order], member[order])


def of_sorted(scores: np.ndarray, member: np.ndarray) -> Roc:
    """Return the ROC curve of scores (n,) that are in descending order already."""
    last = np.append(scores[1:] != scores[:-1], True)  # the last one of each tied group
    true_positives = np.cumsum(member)[last]
    false_positives = np.cumsum(~member)[last]
    return Roc(
        np.concatenate([[0], false_positives]),
        np.concatenate([[0], true_positives]),
        np.concatenate([[np.inf], scores[last]]),
    )


def auc(curve: Roc) -> dict:
    """Return the area under the curve, {"value", "low", "high"}, with its 95 % interval.

    It is the chance that a member scores above a non-member, ties counting half.
    """
    x, y = curve.false_positives, curve.true_positives
    twice = int((np.diff(x) * (y[1:] + y[:-1])).sum())  # trapezoids, in whole numbers
    low, high = of_auc(y, x)
    return {"value": twice / (2 * curve.members * curve.nonmembers), "low": low, "high": high}


def balanced_accuracy(curve: Roc) -> float:
    """Return the largest (TPR + TNR) / 2 over all thresholds (carlini2022, Definition 2)."""
    return float((curve.tpr - curve.fpr).max() / 2.0 + 0.5)


def advantage(curve: Roc) -> float:
    """Return max(TPR - FPR) over all thresholds = 2 (balanced accuracy - 1/2)."""
    return float((curve.tpr - curve.fpr).max())


def recall_at_precision(curve: Roc, precision: float) -> float:
    """Return the largest recall (TPR) at which TP / (TP + FP) ≥ precision, 0 where none is.

    At the share of members among the evaluated examples, and at the best threshold in hindsight.
    """
    hits, called = curve.true_positives, curve.true_positives + curve.false_positives
    precise = hits[hits >= precision * called * (1.0 - 1e-12)]
    return float(precise.max() / curve.members)


def best_point(curve: Roc) -> int:
    """Return the index of the point with the largest TPR - FPR, the first of equals."""
    return int((curve.tpr - curve.fpr).argmax())


def allowed_false_positives(level: float, nonmembers: int, strict: bool = False) -> int:
    """Return the largest count of false positives with FPR ≤ level, or < level if `strict`."""
    product = level * nonmembers
    allowed = int(np.floor(product * (1.0 + 1e-12)))  # 0.29 * 100 is below 29
    if strict and allowed >= product * (1.0 - 1e-12):
        allowed = max(allowed - 1, 0)
    return allowed


def outline(curve: Roc, points: int = 2000, exact: int = 200) -> np.ndarray:
    """Return the indices of at most about `points` points that draw the curve, on any axes.

    Points on a straight line between their neighbours go first. If that is not enough, every one
    with at most `exact` false positives stays, and of the rest what is evenly spaced along the
    curve or in log FPR: a dropped point is within 4/`points` of the drawn line.
    """
    x, y = curve.false_positives, curve.true_positives
    turn = np.diff(x)[:-1] * np.diff(y)[1:] != np.diff(x)[1:] * np.diff(y)[:-1]
    kept = np.flatnonzero(np.concatenate([[True], turn, [True]]))
    if len(kept) <= points:
        return kept
    thin = Roc(x[kept], y[kept], curve.thresholds[kept])
    start = np.flatnonzero(thin.false_positives <= exact)
    steps = np.geomspace(exact, thin.nonmembers, max(points // 2 - len(start), points // 10))
    in_log = np.searchsorted(thin.false_positives, steps)
    return kept[np.unique(np.concatenate([start, in_log, along(thin, points // 2)]))]


def along(curve: Roc, points: int) -> np.ndarray:
    """Return the indices of up to `points` points, both ends among them, evenly along the curve."""
    length = curve.fpr + curve.tpr
    return np.unique(np.searchsorted(length, np.linspace(0.0, length[-1], points)))
