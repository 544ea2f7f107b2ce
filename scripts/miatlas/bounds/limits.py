"""What divergences allow: bounds on the advantage, and on the TPR at a given FPR.

P is the law of what is observed of a model that trained on the example (IN), Q of one that did not
(OUT); kl_in_out = KL(P ‖ Q), kl_out_in = KL(Q ‖ P), affinity = ∫ √(PQ), variation their total
variation. Divergences add up over a pool: the game "example drawn at random, then a model" has the
*means* of the examples' divergences, so that means of these columns bound a pooled attack.
"""

from typing import NamedTuple

import numpy as np

HALVINGS = 60
NAMES = (
    "Pinsker, IN to OUT", "Pinsker, OUT to IN", "Bretagnolle-Huber, IN to OUT",
    "Bretagnolle-Huber, OUT to IN", "Hellinger", "none",
)  # fmt: skip


class Divergences(NamedTuple):
    """Divergences of the laws of one observation, each of one shape (n,)."""

    kl_in_out: np.ndarray
    kl_out_in: np.ndarray
    affinity: np.ndarray


def pinsker(kl: np.ndarray) -> np.ndarray:
    """Return √(KL / 2), which may exceed 1; 0 for an estimate below 0."""
    return np.sqrt(np.maximum(kl, 0.0) / 2.0)


def bretagnolle_huber(kl: np.ndarray) -> np.ndarray:
    """Return √(1 - exp(-KL)) (Bretagnolle and Huber 1979); 0 for an estimate below 0."""
    return np.sqrt(-np.expm1(-np.maximum(kl, 0.0)))


def hellinger(affinity: np.ndarray) -> np.ndarray:
    """Return √(1 - BC²) (Le Cam)."""
    affinity = np.asarray(affinity)
    return np.sqrt(np.maximum((1.0 - affinity) * (1.0 + affinity), 0.0))


def all_bounds(divergences: Divergences) -> np.ndarray:  # -> (6, ...)
    """Return every bound on the advantage, in the order of NAMES; the last is 1."""
    one_way, other_way, affinity = (np.asarray(part, np.float64) for part in divergences)
    bounds = [
        pinsker(one_way), pinsker(other_way), bretagnolle_huber(one_way),
        bretagnolle_huber(other_way), hellinger(affinity), np.ones_like(affinity),
    ]  # fmt: skip
    return np.stack(bounds)


def tightest(divergences: Divergences) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest bound on the advantage (...) and its place in NAMES (...)."""
    bounds = all_bounds(divergences)
    return bounds.min(axis=0), bounds.argmin(axis=0)


def tpr_limit(
    fpr: np.ndarray, divergences: Divergences | None = None, variation: np.ndarray | None = None
) -> np.ndarray:
    """Return the largest TPR (...) that data processing leaves at each FPR (...), broadcast.

    A test turns P, Q into laws of one bit, whose divergences cannot be larger: TPR - FPR is at most
    the total variation, kl(TPR ‖ FPR) ≤ KL(P ‖ Q), kl(FPR ‖ TPR) ≤ KL(Q ‖ P), and the affinity of
    the bits is at least that of the laws. The least of the four limits; it rises with the FPR.
    """
    fpr = np.asarray(fpr, np.float64)
    limits = [np.ones_like(fpr)]
    if variation is not None:
        limits.append(fpr + variation)
    if divergences is not None:
        limits.append(_by_affinity(fpr, divergences.affinity))
        limits.append(_by_halving(fpr, divergences.kl_in_out, lambda t, f: _binary(t, f)))
        limits.append(_by_halving(fpr, divergences.kl_out_in, lambda t, f: _binary(f, t)))
    return np.minimum.reduce(np.broadcast_arrays(*limits))


def _by_affinity(fpr, affinity):
    """√(TPR FPR) + √((1-TPR)(1-FPR)) = cos of a difference of angles, TPR = sin² of one of them."""
    angle = np.arcsin(np.sqrt(fpr)) + np.arccos(np.clip(affinity, 0.0, 1.0))
    return np.sin(np.minimum(angle, np.pi / 2.0)) ** 2


def _by_halving(fpr, allowed, divergence):
    """Return the largest t ≥ fpr with divergence(t, fpr) ≤ allowed, which rises with t."""
    fpr, allowed = np.broadcast_arrays(fpr, np.asarray(allowed, np.float64))
    reached = divergence(np.ones_like(fpr), fpr) <= allowed
    low, high = np.where(reached, 1.0, fpr), np.ones_like(fpr)
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        inside = divergence(middle, fpr) <= allowed
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return high


def _binary(p, q):
    """Return kl(p ‖ q) of two Bernoulli laws; infinite where q excludes what p does not."""
    return _term(p, q) + _term(1.0 - p, 1.0 - q)


def _term(p, q):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, p * (np.log(p) - np.log(q)), 0.0)
