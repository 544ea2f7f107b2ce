"""The public LiRA script of 2021: how it fits its Gaussians, where that differs from ours.

Not an attack itself; `preset: tf_privacy_2021` of the LiRA attacks. That script, plot.py in
research/mi_lira_2021 of tensorflow/privacy, judges the last model of a folder by all others. With
the preset a target is judged by all others too, in their order (`audits.references.in_order`), by
what stands here, and its TPR is read below the level, not at it (`measure_leakage`).

Each example's list of values is cut, in the order of the models, to the smallest count over all
examples; mu is the median, s the
deviation with ddof 0, plus 1e-30. Its "fixed variance" is one number: the deviation of all cut
values from their common mean, over examples, models and queries, not centred per example. In its
online form both hypotheses then get the IN deviation, and sigma cancels from the ranking.
"""

import numpy as np

from miatlas.attacks.shared.gaussian import among

FLOOR = 1e-30


def normal(
    refs, mask, fitted
) -> tuple[np.ndarray, np.ndarray]:  # (R, N, Q), (R, N) -> (N, Q) twice
    """Return mu, s of each example; `fitted` is what `Pool.result` returned."""
    count, deviation = fitted
    values = among(refs, mask & (np.cumsum(mask, axis=0) <= count))
    s = values.std(axis=0) if deviation is None else deviation
    return np.median(values, axis=0), s + FLOOR


class Pool:
    """The smallest count over all examples, and the deviation of all values up to it.

    The count is known only after the last slice, so moments are kept by place in the list: how many
    values, their sum and their sum of squares at the first place, the second, and so on.
    """

    def __init__(self, fixed_variance: bool):
        self.fixed_variance, self.count, self.moments = fixed_variance, None, 0.0

    def add(self, refs: np.ndarray, mask: np.ndarray) -> None:
        """Take in the references (R, n, Q) of one slice of examples."""
        fewest = int(mask.sum(axis=0).min())
        self.count = fewest if self.count is None else min(self.count, fewest)
        if self.fixed_variance:
            place, values = (np.cumsum(mask, axis=0) - 1)[mask], refs[mask]
            powers = [np.ones_like(values), values, values**2]
            self.moments += np.array(
                [np.bincount(place, p.sum(axis=1), minlength=len(mask)) for p in powers]
            )

    @classmethod
    def of(cls, fixed_variance: bool, refs: np.ndarray, mask: np.ndarray) -> "Pool":
        """Return that of one slice of examples; those of slices add up."""
        pool = cls(fixed_variance)
        pool.add(refs, mask)
        return pool

    def __add__(self, other: "Pool") -> "Pool":
        total = Pool(self.fixed_variance)
        total.count = min(self.count, other.count)
        total.moments = self.moments + other.moments
        return total

    def result(self) -> tuple[int, float | None]:
        """Return the count and the common deviation (None without a fixed variance)."""
        if not self.count:
            raise ValueError("there are examples without a reference of the kind that is needed")
        if not self.fixed_variance:
            return self.count, None
        n, total, squares = self.moments[:, : self.count].sum(axis=1)
        return self.count, float(np.sqrt(max(squares / n - (total / n) ** 2, 0.0)))
