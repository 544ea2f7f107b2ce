"""Gaussians fitted to a statistic among reference models: what both LiRA attacks share.

Not an attack itself. Shapes: references refs (R, N, Q) with a mask (R, N); values (k, N, Q), the k
references of one kind of every example; mu and s (N, Q).
"""

from dataclasses import dataclass

import numpy as np

FLOOR = 1e-6  # of a deviation: float32 signals of size 10 resolve no less; see `normal`
LOG_SQRT_2PI = 0.5 * np.log(2.0 * np.pi)


def among(refs: np.ndarray, mask: np.ndarray) -> np.ndarray:  # (R, N, Q), (R, N) -> (k, N, Q)
    """Return each example's values at its references, in the order of the models.

    Raises ValueError unless every example has the same number of references: a count that depends
    on the example tells its membership (see `miatlas.audits.references`).
    """
    count = mask.sum(axis=0)
    if count.min() != count.max():
        raise ValueError(
            f"examples have from {count.min()} to {count.max()} references; balance them first"
        )
    examples = np.arange(len(count))
    models = np.flatnonzero(mask.T).reshape(len(count), -1).T - examples * len(mask)  # (k, N)
    values = refs.reshape(refs.shape[0] * refs.shape[1], *refs.shape[2:])
    return values.take(models * len(count) + examples, axis=0)  # refs[models, examples], sooner


def normal(refs, mask, location, pooled=None) -> tuple[np.ndarray, np.ndarray]:
    """Return mu, s of each example's statistic (carlini2022 Alg. 1, lines 10-13).

    s² is the unbiased variance of the example's own values (about their mean, also where mu is
    their median), or pooled² (Q,) where that is given. s is at least FLOOR, for every example and
    either hypothesis alike: where all references agree to the last bit, the floor says how much
    that is worth, and two equal columns score 0 instead of nan. Raises ValueError if a single value
    has to give a variance.
    """
    values = among(refs, mask)
    mu = np.median(values, axis=0) if location == "median" else values.mean(axis=0)
    if pooled is None and len(values) < 2:
        raise ValueError(
            f"a variance per example needs 2 references of a kind, there is {len(values)};"
            " use more references or 'variance: global'"
        )
    s = values.std(axis=0, ddof=1) if pooled is None else pooled
    return mu, np.maximum(s, FLOOR)


@dataclass(frozen=True)
class Pool:
    """Global variance: deviations from each example's own mean, pooled over examples, per query.

    Unbiased: the sum of squares over N (k - 1) degrees of freedom (carlini2022 §VI-B leaves it
    open). Those of slices add up.
    """

    squares: np.ndarray  # (Q,), summed over examples and references
    freedom: int

    @classmethod
    def of(cls, refs: np.ndarray, mask: np.ndarray) -> "Pool":
        """Return that of the references (R, n, Q) of one slice of examples."""
        values = among(refs, mask)
        squares = ((values - values.mean(axis=0)) ** 2).sum(axis=0).sum(axis=0)
        return cls(squares, (len(values) - 1) * values.shape[1])

    def __add__(self, other: "Pool") -> "Pool":
        return Pool(self.squares + other.squares, self.freedom + other.freedom)

    def result(self) -> np.ndarray:
        """Return s (Q,). Raises ValueError if no example had two references."""
        if self.freedom < 1:
            raise ValueError("a global variance needs at least 2 references of a kind per example")
        return np.sqrt(self.squares / self.freedom)


def log_density(x: np.ndarray, mu: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Return log N(x; mu, s²)."""
    return -0.5 * ((x - mu) / s) ** 2 - np.log(s) - LOG_SQRT_2PI
