"""Means and deviations by class, of values that come slice by slice. Not an attack itself."""

from collections import defaultdict

import numpy as np

from miatlas.attacks.shared.gaussian import FLOOR


class Moments:
    """Count, sum and sum of squares of the values of each class: as small as there are classes."""

    def __init__(self):
        self.of = defaultdict(lambda: np.zeros(3))

    def add(self, labels: np.ndarray, values: np.ndarray, mask: np.ndarray) -> None:
        """Take in the values (R, n) that a mask (R, n) marks, of n examples of classes (n,)."""
        classes, which = np.unique(labels, return_inverse=True)
        marked = np.where(mask, values, 0.0)
        powers = [mask, marked, marked**2]
        sums = [np.bincount(which, weights=power.sum(axis=0)) for power in powers]
        for name, row in zip(classes.tolist(), np.transpose(sums), strict=True):
            self.of[name] += row

    def result(self) -> dict[int, tuple[float, float]]:
        """Return mu, s of each class that has values; s has ddof 0 and is at least FLOOR."""
        return {name: self._normal(*sums) for name, sums in self.of.items() if sums[0]}

    @staticmethod
    def _normal(n, total, squares):
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
