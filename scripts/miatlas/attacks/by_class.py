"""Means and deviations by class, of values that come slice by slice. Not an attack itself."""

from collections import defaultdict

import numpy as np

from miatlas.attacks.gaussian import FLOOR


class Moments:
    """Count, sum and sum of squares of the values of each class: as small as there are classes."""

    def __init__(self):
        self.of = defaultdict(lambda: np.zeros(3))

    def add(self, labels: np.ndarray, values: np.ndarray) -> None:
        """Take in values (k, n) of n examples of the classes labels (n,)."""
        classes, which = np.unique(labels, return_inverse=True)
        powers = [np.ones_like(values), values, values**2]
        sums = [np.bincount(which, weights=power.sum(axis=0)) for power in powers]
        for name, row in zip(classes.tolist(), np.transpose(sums), strict=True):
            self.of[name] += row

    def result(self) -> dict[int, tuple[float, float]]:
        """Return mu, s of each class; s has ddof 0 and is at least FLOOR."""
        return {name: self._normal(*sums) for name, sums in self.of.items()}

    @staticmethod
    def _normal(n, total, squares):
        variance = squares / n - (total / n) ** 2
        return total / n, float(np.sqrt(max(variance, FLOOR**2)))


def look_up(fitted: dict, labels: np.ndarray) -> np.ndarray:  # (n,) -> (n, ...)
    """Return what was fitted to the class of each example."""
    classes, which = np.unique(labels, return_inverse=True)
    return np.array([fitted[name] for name in classes.tolist()])[which]
