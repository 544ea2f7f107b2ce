"""The false-positive rate at which a loss becomes suspicious: attacks S, P, R of ye2022 §4.

Not an attack itself. A threshold c(alpha) is the alpha-percentile of reference losses (Eqs. 16, 22,
27); here it is inverted: `alpha` returns the rate at which c(alpha) reaches the observed loss x.
x (n,); refs (k, n), sorted along k: each example's own references, or `Shared`: the same for all.
"""

from functools import cached_property

import numpy as np
import scipy

from miatlas.attacks.shared.gaussian import FLOOR
from miatlas.signals.statistics import confidence_from_phi, loss_from_phi

LARGEST = 1000.0  # the upper anchor of the public scripts, for a loss without an upper bound
HALVINGS = 60
STATISTICS = {  # low = member
    "loss": loss_from_phi,
    "exp_minus_confidence": lambda phi: np.exp(-confidence_from_phi(phi)),  # of the public scripts
    "label": loss_from_phi,  # of a vote's phi
}


def observed(phi: np.ndarray, statistic: str = "loss") -> np.ndarray:
    """Return the statistic of phi, same shape, strictly between the anchors 0 and LARGEST."""
    values = STATISTICS[statistic](phi)
    return np.clip(values, np.finfo(np.float64).tiny, np.nextafter(LARGEST, 0))


class Shared:
    """Reference losses (k,) that all examples share, kept as phi: in the files' four bytes each.

    They are turned into losses where they are looked at: log2(k) of them to find a rank.
    """

    def __init__(self, phi: np.ndarray):
        self.phi = np.sort(phi)[::-1]  # the smallest loss first

    def __len__(self) -> int:
        return len(self.phi)

    def pick(self, which: np.ndarray) -> np.ndarray:  # (n,) int -> (n,)
        """Return the losses at these places."""
        return observed(self.phi[which])

    def rank(self, x: np.ndarray) -> np.ndarray:  # (n,) -> (n,) int
        """Return how many losses are not above x."""
        low, high = np.zeros(len(x), int), np.full(len(x), len(self))
        for _ in range(len(self).bit_length()):
            middle = (low + high) // 2
            above = (middle == high) | (self.pick(np.minimum(middle, len(self) - 1)) > x)
            low, high = np.where(above, low, middle + 1), np.where(above, middle, high)
        return low

    @cached_property
    def normal(self) -> tuple[float, float]:
        """mu, s of the losses' logits."""
        return normal(self.pick(slice(None)))


def alpha(smoothing: str, x: np.ndarray, refs: np.ndarray) -> np.ndarray:
    """Return the alpha (n,) of x among refs, low = member; both as `observed` returns them."""
    return SMOOTHINGS[smoothing](x, refs)


def empirical(x, refs):
    """Return the share of reference losses that are not above x."""
    return rank(x, refs) / len(refs)


def linear(x, refs):
    """Return the interpolated empirical distribution function, from 0 at 0 to 1 at LARGEST."""
    above = rank(x, refs) + 1  # 1 .. k + 1: x lies above the lower anchor and below the upper
    low, high = knot(refs, above - 1), knot(refs, above)
    return (above - 1 + (x - low) / (high - low)) / (len(refs) + 1)


def logit_gaussian(x, refs):
    """Return Pr[Z ≥ logit(exp(-x))], Z a normal fitted to the references' by likelihood."""
    mu, s = normal(refs)
    return scipy.special.ndtr((mu - logit(x)) / s)


def min_linear_logit(x, refs):
    """Return the alpha at the smaller of two thresholds: the larger alpha."""
    return np.maximum(linear(x, refs), logit_gaussian(x, refs))


def mean_linear_logit(x, refs):
    """Return the alpha at which the mean of the two thresholds is x.

    Both rise with alpha: it lies between their own alphas, and is found by halving.
    """
    ends = np.sort([linear(x, refs), logit_gaussian(x, refs)], axis=0)
    mu, s = normal(refs)
    for _ in range(HALVINGS):
        middle = ends.mean(axis=0)
        below = np.minimum((middle * (len(refs) + 1)).astype(int), len(refs))
        low, high = knot(refs, below), knot(refs, below + 1)
        c_linear = low + (middle * (len(refs) + 1) - below) * (high - low)
        c_logit = np.logaddexp(0.0, s * scipy.special.ndtri(middle) - mu)
        reached = (c_linear + c_logit) / 2 <= x
        ends = np.where(reached, [middle, ends[1]], [ends[0], middle])
    return ends.mean(axis=0)


SMOOTHINGS = {
    "empirical": empirical, "linear": linear, "logit_gaussian": logit_gaussian,
    "min_linear_logit": min_linear_logit, "mean_linear_logit": mean_linear_logit,
}  # fmt: skip


def logit(x):
    """Return log(p / (1 - p)) of p = exp(-x): phi, where x is the loss."""
    return -x - np.log(-np.expm1(-x))


def normal(refs):
    """Return mu, s (n,) of the references' logits; s has ddof 0 and is at least FLOOR."""
    if isinstance(refs, Shared):
        return refs.normal
    values = logit(refs)
    return values.mean(axis=0), np.maximum(values.std(axis=0), FLOOR)


def rank(x, refs):  # (n,), refs -> (n,) int
    """Return how many references are not above x."""
    return refs.rank(x) if isinstance(refs, Shared) else (refs <= x).sum(axis=0)


def knot(refs, which):  # refs, (n,) int from 0 to k + 1 -> (n,)
    """Return one reference of each example, counted from 1, or an anchor: 0 or LARGEST."""
    inside = np.clip(which - 1, 0, len(refs) - 1)
    if isinstance(refs, Shared):
        value = refs.pick(inside)
    else:
        value = np.take_along_axis(refs, inside[None], axis=0)[0]
    return np.where(which == 0, 0.0, np.where(which > len(refs), LARGEST, value))
