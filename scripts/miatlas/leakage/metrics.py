"""What an attack achieved: ROC tables, AUC, advantage, TPR at low FPR, vulnerability per example.

Shapes: scores float [T, N] (higher = member), member and evaluated bool [T, N], targets int [T].
Only evaluated entries are ever looked at. Every target is a game of its own, with its own counts
and intervals; "pooled" is one game over the scores of all of them. The pooled intervals treat all
(target, example) pairs as independent, which they are not quite: the spread over targets is the
more honest error bar.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from miatlas.leakage.levels import LEVELS
from miatlas.leakage.roc import (
    Roc,
    advantage,
    along,
    auc,
    balanced_accuracy,
    outline,
    roc,
    tpr_at_fpr,
)

POOLED = "pooled"


def evaluate(scores, member, evaluated, targets, levels=LEVELS) -> dict:
    """Return all metrics, JSON-able: {"targets": [one each], "mean": ..., "pooled": ...}.

    A target's entry: target, members, nonmembers, auc {value, low, high}, balanced_accuracy,
    advantage, tpr_at_fpr [{level, realised_fpr, tpr, low, high, true_positives, false_positives,
    below_resolution}]. "mean" has the same keys with {mean, std} over the targets (std with ddof 1,
    None for a single target; below_resolution if any is). Raises ValueError on NaN scores, on
    shapes that do not fit, and on a target without members or without non-members.
    """
    named_curves = curves(scores, member, evaluated, targets)
    *rows, pooled = [summary(target, curve, levels) for target, curve in named_curves]
    return {"targets": rows, "mean": mean_over(rows), "pooled": pooled}


def curves(scores, member, evaluated, targets) -> Iterator[tuple[int | str, Roc]]:
    """Yield (target, its ROC curve) for every target, then ("pooled", the curve of all scores)."""
    _check_shapes(scores, member, evaluated, targets)
    for row, target in enumerate(targets):
        yield int(target), _curve(f"target {target}", scores[row], member[row], evaluated[row])
    yield POOLED, _curve("all targets", scores, member, evaluated)


def summary(target: int | str, curve: Roc, levels=LEVELS) -> dict:
    """Return the entry of one target, as `evaluate` describes it."""
    return {
        "target": target,
        "members": curve.members,
        "nonmembers": curve.nonmembers,
        "auc": auc(curve),
        "balanced_accuracy": balanced_accuracy(curve),
        "advantage": advantage(curve),
        "tpr_at_fpr": [tpr_at_fpr(curve, level) for level in levels],
    }


def mean_over(rows: list[dict]) -> dict:
    """Return {mean, std} over the targets of every number in their entries."""
    keys = ("members", "nonmembers", "balanced_accuracy", "advantage")
    result = {key: _mean_std([row[key] for row in rows]) for key in keys}
    result["auc"] = _mean_std([row["auc"]["value"] for row in rows])
    result["tpr_at_fpr"] = [
        {
            "level": same_level[0]["level"],
            **{k: _mean_std([entry[k] for entry in same_level]) for k in ("realised_fpr", "tpr")},
            "below_resolution": any(entry["below_resolution"] for entry in same_level),
        }
        for same_level in zip(*(row["tpr_at_fpr"] for row in rows), strict=True)
    ]
    return result


def roc_table(scores, member, evaluated, targets) -> pd.DataFrame:
    """Return the curves to draw: target (str), false_positives, true_positives, fpr, tpr.

    From (0, 0) to (1, 1), tied scores one step, points on straight lines dropped, about 2000 points
    a curve at most and all of those with up to 200 false positives.
    """
    return pd.concat(
        [
            _table(target, curve, outline(curve), fpr=curve.fpr, tpr=curve.tpr)
            for target, curve in curves(scores, member, evaluated, targets)
        ],
        ignore_index=True,
    )


def precision_recall_table(scores, member, evaluated, targets) -> pd.DataFrame:
    """Return target (str), false_positives, true_positives, recall, precision.

    Precision = TP / (TP + FP) at the share of members among the evaluated examples; the point
    without any positive has none and is left out. About 2000 points a curve.
    """
    parts = []
    for target, curve in curves(scores, member, evaluated, targets):
        points = np.union1d(outline(curve, 1000), along(curve, 1000))[1:]
        positives = np.maximum(curve.true_positives + curve.false_positives, 1)
        precision = curve.true_positives / positives
        parts.append(_table(target, curve, points, recall=curve.tpr, precision=precision))
    return pd.concat(parts, ignore_index=True)


def per_example(scores, member, evaluated) -> np.ndarray:  # (T, N) three times -> (N,)
    """Return each example's vulnerability: the AUC over the targets (ye2022 §5).

    The share of (member target, non-member target) pairs of one example in which the member's score
    is higher, ties counting half. NaN where the example was not evaluated in one of each kind.
    """
    inside, outside = member & evaluated, ~member & evaluated
    wins = np.zeros(scores.shape[1])
    for row, is_member in zip(scores, inside, strict=True):
        won = (row > scores) + 0.5 * (row == scores)
        wins += is_member * (won * outside).sum(axis=0)
    pairs = inside.sum(axis=0) * outside.sum(axis=0)
    return np.divide(wins, pairs, out=np.full(len(wins), np.nan), where=pairs > 0)


def privacy_score(phi: np.ndarray, member: np.ndarray) -> np.ndarray:  # (M, N), (M, N) -> (N,)
    """Return |mu_in - mu_out| / (s_in + s_out) of each example (carlini2022 §VII-B).

    Means and unbiased deviations of the statistic phi over the models that trained on the example
    and over those that did not. NaN where one side has fewer than two models or nothing varies.
    """
    mu_in, s_in = _mean_deviation(phi, member)
    mu_out, s_out = _mean_deviation(phi, ~member)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.abs(mu_in - mu_out) / (s_in + s_out)


def _curve(name: str, scores, member, evaluated) -> Roc:
    try:
        return roc(scores[evaluated].astype(np.float64), member[evaluated])
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _table(target: int | str, curve: Roc, points: np.ndarray, **columns) -> pd.DataFrame:
    columns = {
        "false_positives": curve.false_positives,
        "true_positives": curve.true_positives,
        **columns,
    }
    chosen = {name: column[points] for name, column in columns.items()}
    return pd.DataFrame({"target": [str(target)] * len(points), **chosen})


def _mean_std(values: list[float]) -> dict:
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "std": spread}


def _mean_deviation(phi, mask):
    phi = np.where(mask, phi, 0.0).astype(np.float64)
    count = mask.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = phi.sum(axis=0) / count
        squares = (np.where(mask, phi - mean, 0.0) ** 2).sum(axis=0)
        return mean, np.sqrt(np.where(count > 1, squares, np.nan) / (count - 1))


def _check_shapes(scores, member, evaluated, targets) -> None:
    shapes = {"scores": scores.shape, "member": member.shape, "evaluated": evaluated.shape}
    if len(set(shapes.values())) > 1 or scores.ndim != 2 or len(targets) != len(scores):
        raise ValueError(f"shapes do not fit each other: {shapes}, targets {np.shape(targets)}")
    if not len(scores):
        raise ValueError("there are no targets to evaluate")
