"""Beta laws of one confidence p: tails, and the exact total variation from where densities cross.

Everything is a function of u = logit p, so that nothing near 0 or near 1 is rounded away: for
parameters of 1e-3 half of the mass lies below p = 1e-300. Parameters (..., 2), u (...).
"""

import numpy as np
from scipy.special import betainc, betaincc, expit, log_expit

from miatlas.bounds.log_beta import log_beta

HALVINGS = 100
FARTHEST = 60.0  # exp(-60) of the mass at most is beyond that many times 1/parameter, plus 1000
TINY = -690.0  # below it, p is too small for the incomplete beta function, and a power is exact


def below(parameters: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Return Pr[logit p ≤ u] under Beta(parameters), the regularised incomplete beta function."""
    a, b = parameters[..., 0], parameters[..., 1]
    lower = betainc(a, b, expit(np.minimum(u, 0.0)))
    upper = betaincc(b, a, expit(-np.maximum(u, 0.0)))
    logs = -log_beta(parameters)
    far_low = np.exp(np.minimum(a * u + logs - np.log(a), 0.0))
    far_high = -np.expm1(np.minimum(-b * u + logs - np.log(b), 0.0))
    middle = np.where(u <= 0.0, lower, upper)
    return np.where(u < TINY, far_low, np.where(u > -TINY, far_high, middle))


def total_variation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return TV(Beta(a), Beta(b)) (...), to about 1e-10.

    The log-ratio of the densities rises or falls in u, or has one turn: it has one or two zeros,
    and TV is what the distribution functions differ by between them.
    """
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    d = a - b
    offset = log_beta(a) - log_beta(b)
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = np.log(d[..., 0] / d[..., 1])  # where d_1 (1 - p) = d_2 p
    turns = (d[..., 0] * d[..., 1] > 0) & np.isfinite(turn)
    far = 1000.0 + FARTHEST / np.minimum(a, b).min(axis=-1)
    turn = np.where(turns, turn, -far)
    gaps = [
        below(a, zero) - below(b, zero)
        for zero in (_zero(d, offset, -far, turn), _zero(d, offset, turn, far))
    ]
    return np.clip(np.abs(gaps[1] - gaps[0] * turns), 0.0, 1.0)


def _zero(d, offset, low, high):
    """Return the zero of the log-ratio of the densities between two points, by halving."""
    rising = _log_ratio(d, offset, high) > _log_ratio(d, offset, low)
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        beyond = (_log_ratio(d, offset, middle) > 0.0) == rising
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return (low + high) / 2.0


def _log_ratio(d, offset, u):
    return d[..., 0] * log_expit(u) + d[..., 1] * log_expit(-u) - offset
