"""Attacks on the same targets beside each other: a difference, free of what both have in common.

A target is easy or hard for two attacks alike, and so is an example; the difference of two rates is
therefore known better than either.
"""

from typing import NamedTuple

import numpy as np

from miatlas.leakage import hindsight
from miatlas.leakage.means import Games
from miatlas.leakage.metrics import curves
from miatlas.leakage.targets import reach


class Rates(NamedTuple):
    """A rate of each target, values (T,), and how much every example moves it, (T, N).

    centres and tops (T,): the rate without hindsight's bias, from below and from above.
    """

    values: np.ndarray
    centres: np.ndarray
    tops: np.ndarray
    influence: np.ndarray


def tprs(scores, member, evaluated, targets, level: float) -> Rates:
    """Return the largest TPR at FPR ≤ level of each target; arrays (T, N), targets (T,)."""
    *own, _ = (curve for _, curve in curves(scores, member, evaluated, targets))
    values = [hindsight.tpr_at_fpr(curve, level)["tpr"] for curve in own]
    centres, tops = (
        np.array([rate(curve, level) for curve in own])
        for rate in (hindsight.interpolated_tpr, hindsight.expected_tpr)
    )
    influence = Games(scores, member, evaluated, own).by_tpr(level)
    return Rates(np.array(values), centres, tops, influence)


def mean(several: list[Rates]) -> Rates:
    """Return the mean over attacks on the same targets."""
    return Rates(*(np.mean(parts, axis=0) for parts in zip(*several, strict=True)))


def less(first: Rates, second: Rates) -> Rates:
    """Return first - second, target by target. Raises ValueError if they are not of the same."""
    if first.influence.shape != second.influence.shape:
        shapes = f"{first.influence.shape} and {second.influence.shape}"
        raise ValueError(f"rates of different targets or examples cannot be paired: {shapes}")
    return Rates(*(one - other for one, other in zip(first, second, strict=True)))


def joined(several: list[Rates]) -> Rates:
    """Return the rates of several groups of targets, which know the same examples, as one group."""
    return Rates(*(np.concatenate(parts) for parts in zip(*several, strict=True)))


def interval(rates: Rates) -> tuple[float, float, float]:
    """Return the mean over targets and its 95 % interval for this population (`targets.reach`).

    It speaks of other models and other examples of the kind; nan for a single target. It reaches
    from the lowest of the rates and their centres and tops to the highest: hindsight's bias is on
    both sides, and in a difference of either sign.
    """
    n, value = len(rates.values), float(rates.values.mean())
    if n < 2:
        return value, float("nan"), float("nan")
    half = reach((rates.values - value) / n, rates.influence / n)
    found = [float(part.mean()) for part in rates[:3]]
    return value, min(found) - half, max(found) + half
