"""What an attack achieved: AUC, advantage, TPR at low FPR; by its best threshold, and by others'.

Shapes: scores float [T, N] (higher = member), member and evaluated bool [T, N], targets int [T].
Only evaluated entries are ever looked at. Every target is a game of its own; "pooled" is one game
over the scores of all of them. All intervals are 95 %, and a coverage page measures each of them.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from miatlas.leakage import hindsight, means, single, thresholds
from miatlas.leakage.levels import LEVELS
from miatlas.leakage.roc import Roc, advantage, along, auc, balanced_accuracy, outline, roc

POOLED = "pooled"


def evaluate(
    scores, member, evaluated, targets, levels=LEVELS, strict=False, others: dict | None = None
) -> dict:
    """Return all metrics, JSON-able: {"targets": [one each], "mean", "pooled", ...}.

    A target's entry speaks of this model, its intervals of *this population* of examples:
    - target, members, nonmembers, auc {value, low, high} (DeLong);
    - balanced_accuracy and advantage, the best in hindsight, and their `_interval` {low, high,
      noise_mean, noise_high}: what noise reaches with so many examples, on average and at most
      (95 %);
    - tpr_at_fpr [`hindsight.tpr_at_fpr` at each level];
    - transferred {rates: [one a level], best}: see `thresholds.judged`. A single target needs
      `others`, {scores, member, evaluated} of models attacked in its place. None without;
      "not_transferred" says why, and is None otherwise. "thresholds_from" says whose they are:
      {models: "other targets" or "shadow models", count, nonmembers (of the fewest), or None}.
    "mean" has the same keys with {mean, std, n, these_examples, this_population} over the targets
    (`targets.over_targets`); its transferred precision is that of the mean rates, and the rates of
    a single target have its own intervals there, for this population. The maximum TPR - FPR has no
    interval for these examples: of noise it would not hold 0. "pooled" is an entry as a target's,
    without transferred; its intervals speak of the population, models and examples both drawn.
    `strict`: hindsight TPRs are read below their level, not at it. Raises ValueError on NaN scores,
    on shapes that do not fit, and on a target, or on stand-ins, without members or
    without non-members.
    """
    *own, pooled = (curve for _, curve in curves(scores, member, evaluated, targets))
    rows = [summary(int(t), curve, levels, strict) for t, curve in zip(targets, own, strict=True)]
    games, whole = (
        means.Games(scores, member, evaluated, own),
        summary(POOLED, pooled, levels, strict),
    )
    mean = {**means.of_hindsight(rows, games), "transferred": None}
    found = {"targets": rows, "mean": mean, "pooled": whole}
    if len(rows) == 1:
        return found | _of_one(rows[0], own[0], mean, others, levels)
    at = thresholds.of_others(scores, member, evaluated, levels)
    for row, curve, taken in zip(rows, own, at, strict=True):
        row["transferred"] = thresholds.judged(curve, taken, levels)
    mean["transferred"] = means.of_transferred(rows, games, at)
    found["pooled"] = means.of_population(whole, games.whole(pooled), scores.shape)
    counts = [curve.nonmembers for curve in own]
    return found | _from("other targets", len(rows) - 1, sum(counts) - max(counts))


def _of_one(row: dict, curve: Roc, mean: dict, others, levels) -> dict:
    """Judge a single target by what stands in for it; return whose thresholds those are."""
    if others is None:
        return {"not_transferred": thresholds.ONE_TARGET, "thresholds_from": None}
    stand_ins = _curve("models in the target's place", **others)
    taken = thresholds.taken_from(stand_ins, levels)
    row["transferred"] = thresholds.judged(curve, taken, levels)
    mean["transferred"] = single.transferred(row["transferred"])
    return _from("shadow models", len(others["scores"]), stand_ins.nonmembers)


def _from(models: str, count: int, nonmembers: int) -> dict:
    whose = {"models": models, "count": count, "nonmembers": nonmembers}
    return {"not_transferred": None, "thresholds_from": whose}


def curves(scores, member, evaluated, targets) -> Iterator[tuple[int | str, Roc]]:
    """Yield (target, its ROC curve) for every target, then ("pooled", the curve of all scores)."""
    _check_shapes(scores, member, evaluated, targets)
    for row, target in enumerate(targets):
        yield int(target), _curve(f"target {target}", scores[row], member[row], evaluated[row])
    yield POOLED, _curve("all targets", scores, member, evaluated)


def summary(target: int | str, curve: Roc, levels=LEVELS, strict=False) -> dict:
    """Return the entry of one target, as `evaluate` describes it, without transferred rates."""
    noise = hindsight.noise_reaches(curve.members, curve.nonmembers)
    low, high = hindsight.advantage_interval(curve)
    interval = {"low": low, "high": high} | {f"noise_{key}": x for key, x in noise.items()}
    return {
        "target": target,
        "members": curve.members,
        "nonmembers": curve.nonmembers,
        "auc": auc(curve),
        "balanced_accuracy": balanced_accuracy(curve),
        "balanced_accuracy_interval": {key: (1.0 + x) / 2.0 for key, x in interval.items()},
        "advantage": advantage(curve),
        "advantage_interval": interval,
        "tpr_at_fpr": [hindsight.tpr_at_fpr(curve, level, strict) for level in levels],
        "transferred": None,
    }


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


def _check_shapes(scores, member, evaluated, targets) -> None:
    shapes = {"scores": scores.shape, "member": member.shape, "evaluated": evaluated.shape}
    if len(set(shapes.values())) > 1 or scores.ndim != 2 or len(targets) != len(scores):
        raise ValueError(f"shapes do not fit each other: {shapes}, targets {np.shape(targets)}")
    if not len(scores):
        raise ValueError("there are no targets to evaluate")
