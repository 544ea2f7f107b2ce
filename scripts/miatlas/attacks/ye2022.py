"""The false-positive rate at which a loss becomes suspicious: attacks S, P, R of ye2022 §4.

Not an attack itself. A threshold c(alpha) is the alpha-percentile of reference losses (Eqs. 16, 22,
27); here it is inverted: `alpha` returns the rate at which c(alpha) reaches the observed loss x.
x (n,); refs (k, n), sorted along k: each example's own references, or (k, 1): the same for all.
"""

import numpy as np
from scipy.special import ndtr, ndtri

from miatlas.attacks.gaussian import FLOOR
from miatlas.statistics import confidence_from_phi, loss_from_phi

LARGEST = 1000.0  # the upper anchor of the public scripts, for a loss without an upper bound
HALVINGS = 60
STATISTICS = {  # low = member
    "loss": loss_from_phi,
    "exp_minus_confidence": lambda phi: np.exp(-confidence_from_phi(phi)),  # of the public scripts
}


def observed(phi: np.ndarray, statistic: str = "loss") -> np.ndarray:
    """Return the statistic of phi, same shape, strictly between the anchors 0 and LARGEST."""
    values = STATISTICS[statistic](phi)
    return np.clip(values, np.finfo(np.float64).tiny, np.nextafter(LARGEST, 0))


def alpha(smoothing: str, x: np.ndarray, refs: np.ndarray) -> np.ndarray:
    """Return the alpha (n,) of x among refs, low = member; both as `observed` returns them."""
    return SMOOTHINGS[smoothing](x, refs)


def empirical(x, refs):
    """Return the share of reference losses that are not above x."""
    return rank(x, refs) / len(refs)


def linear(x, refs):
    """Return the interpolated empirical distribution function, from 0 at 0 to 1 at LARGEST."""
    knots = anchored(refs)
    above = rank(x, knots)  # 1 .. k + 1: x lies below the upper anchor
    low, high = pick(knots, above - 1), pick(knots, above)
    return (above - 1 + (x - low) / (high - low)) / (len(refs) + 1)


def logit_gaussian(x, refs):
    """Return Pr[Z ≥ logit(exp(-x))], Z a normal fitted to the references' by likelihood."""
    mu, s = normal(refs)
    return ndtr((mu - logit(x)) / s)


def min_linear_logit(x, refs):
    """Return the alpha at the smaller of two thresholds: the larger alpha."""
    return np.maximum(linear(x, refs), logit_gaussian(x, refs))


def mean_linear_logit(x, refs):
    """Return the alpha at which the mean of the two thresholds is x.

    Both rise with alpha: it lies between their own alphas, and is found by halving.
    """
    ends = np.sort([linear(x, refs), logit_gaussian(x, refs)], axis=0)
    knots, (mu, s) = anchored(refs), normal(refs)
    for _ in range(HALVINGS):
        middle = ends.mean(axis=0)
        below = np.minimum((middle * (len(refs) + 1)).astype(int), len(refs))
        low, high = pick(knots, below), pick(knots, below + 1)
        c_linear = low + (middle * (len(refs) + 1) - below) * (high - low)
        c_logit = np.logaddexp(0.0, s * ndtri(middle) - mu)
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
    """Return mu, s (n,) or (1,) of the references' logits; s has ddof 0 and is at least FLOOR."""
    values = logit(refs)
    return values.mean(axis=0), np.maximum(values.std(axis=0), FLOOR)


def anchored(refs):  # (k, n) -> (k + 2, n)
    """Return the references between the anchors 0 and LARGEST."""
    ends = np.zeros_like(refs[:1])
    return np.concatenate([ends, refs, ends + LARGEST])


def rank(x, refs):  # (n,), (k, n) or (k, 1) -> (n,) int
    """Return how many references are not above x."""
    if refs.shape[1] == 1:
        return np.searchsorted(refs[:, 0], x, side="right")
    return (refs <= x).sum(axis=0)


def pick(refs, which):  # (k, n) or (k, 1), (n,) int -> (n,)
    """Return one reference of each example."""
    return np.broadcast_to(refs, (len(refs), len(which)))[which, np.arange(len(which))]
