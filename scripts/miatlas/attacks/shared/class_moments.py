"""Means and deviations by class, of values that come slice by slice. Not an attack itself."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from miatlas.attacks.shared.gaussian import FLOOR


def moments(labels: np.ndarray, values: np.ndarray, mask: np.ndarray) -> dict[int, np.ndarray]:
    """Return count, sum and sum of squares, (3,), of the values of each class.

    That is of the values (R, n) that a mask (R, n) marks, of n examples of classes (n,).
    """
    classes, which = np.unique(labels, return_inverse=True)
    marked = np.where(mask, values, 0.0)
    powers = [mask, marked, marked**2]
    sums = [np.bincount(which, weights=power.sum(axis=0)) for power in powers]
    return dict(zip(classes.tolist(), np.transpose(sums), strict=True))


def normals(parts: Iterable[dict]) -> dict[int, tuple[float, float]]:
    """Return mu, s of each class by the moments of all slices; s has ddof 0, is at least FLOOR."""
    of = defaultdict(lambda: np.zeros(3))
    for part in parts:
        for name, sums in part.items():
            of[name] += sums
    return {name: normal(*sums) for name, sums in of.items() if sums[0]}


def normal(n: float, total: float, squares: float) -> tuple[float, float]:
    """Return mu, s of n values by their sum and their sum of squares."""
    variance = squares / n - (total / n) ** 2
    return total / n, float(np.sqrt(max(variance, FLOOR**2)))


def look_up(fitted: dict, labels: np.ndarray) -> np.ndarray:  # (n,) -> (n, ...)
    """Return what was fitted to the class of each example; ValueError for a class without."""
    classes, which = np.unique(labels, return_inverse=True)
    unknown = sorted(set(classes.tolist()) - set(fitted))
    if unknown:
        raise ValueError(
            f"no shadow model has both members and non-members of class {unknown[0]}:"
            " what is learned class by class needs them"
        )
    return np.array([fitted[name] for name in classes.tolist()])[which]
