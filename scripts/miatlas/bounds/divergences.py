"""Divergences of two Dirichlet laws in closed form; Beta laws are those with two components.

Parameters a, b (..., C), all positive; results (...), in nats. For parameters from 1e-3 to 1e6 (and
a few components far above) and C up to 1000, KL and ln BC have a relative error below 1e-9, however
near the two laws are: nothing is a difference of what is nearly the same (see `log_beta`).
"""

import numpy as np

from miatlas.bounds.log_beta import (
    NEAR,
    _log1pmx_series,
    log1pmx,
    remainder,
    remainder_curvature,
    remainder_slope,
)

SMALL = 0.1  # relative steps below which differences of R are integrals of its second derivative
NODES, SHARES = np.polynomial.legendre.leggauss(5)
POINTS = (1.0 + NODES) / 2.0
WEIGHTS = (1.0 - POINTS) * SHARES / 2.0


def kl(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return KL(Dir(a) ‖ Dir(b)) = ln B(b) - ln B(a) + Σ (a_c - b_c)(ψ(a_c) - ψ(a_0)).

    It is the Bregman divergence of ln B from b to a, taken of each part of ln B by itself; at least
    0, where rounding would make it less.
    """
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    d, a_0 = b - a, a.sum(axis=-1, keepdims=True)
    d_0 = d.sum(axis=-1, keepdims=True)
    of_means = -(b * log1pmx((a * (d_0 / a_0) - d) / b)).sum(axis=-1)
    rest = _bregman(a, d).sum(axis=-1) - _bregman(a_0, d_0)[..., 0]
    return np.maximum(of_means + rest, 0.0)


def _bregman(a, d):
    """Return the divergence of -½ ln + R from a + d to a."""
    rest = remainder(a + d) - remainder(a) - d * remainder_slope(a)
    near = np.abs(d) < SMALL * a
    rest[near] = _second_order(a[near], d[near])
    return rest - 0.5 * log1pmx(d / a)


def _second_order(a, d):
    """Return the same of R as what is beyond its tangent, d² ∫ (1 - t) R''(a + t d) dt."""
    curvature = remainder_curvature(a[..., None] + d[..., None] * POINTS)
    return d * d * (curvature * WEIGHTS).sum(axis=-1)


def log_affinity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ln BC = ln ∫ √(f_a f_b) = ln B((a+b)/2) - (ln B(a) + ln B(b)) / 2, at most 0."""
    middle = (np.asarray(a, np.float64) + b) / 2.0
    return -(kl(middle, a) + kl(middle, b)) / 2.0


def log_chernoff(a: np.ndarray, b: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Return K(s) = ln ∫ f_a^s f_b^(1-s) = ln B(s a + (1-s) b) - s ln B(a) - (1-s) ln B(b).

    s (...), real in [0, 1], or complex and not real: there K is analytic, as the arguments
    s a + (1-s) b of the gamma functions meet the negative axis for real s alone.
    """
    a, b, s = np.asarray(a, np.float64), np.asarray(b, np.float64), np.asarray(s)[..., None]
    a_0, b_0 = a.sum(axis=-1, keepdims=True), b.sum(axis=-1, keepdims=True)
    z, z_0 = b + s * (a - b), b_0 + s * (a_0 - b_0)
    log_z, log_z_0 = np.log(z), np.log(z_0)
    step = (a / a_0 - b / b_0) / z_0  # the mean at s is m_a - (1-s) b_0 step = m_b + s a_0 step
    of_a = _log_ratio(-(1 - s) * b_0 * step, a / a_0, log_z - log_z_0)
    of_b = _log_ratio(s * a_0 * step, b / b_0, log_z - log_z_0)
    means = (s * a * of_a + (1 - s) * b * of_b).sum(axis=-1)
    logs = (log_z - s * np.log(a) - (1 - s) * np.log(b)).sum(axis=-1)
    logs -= (log_z_0 - s * np.log(a_0) - (1 - s) * np.log(b_0))[..., 0]
    rest = (remainder(z) - s * remainder(a) - (1 - s) * remainder(b)).sum(axis=-1)
    rest -= (remainder(z_0) - s * remainder(a_0) - (1 - s) * remainder(b_0))[..., 0]
    return means - 0.5 * logs + rest


def _log_ratio(difference, mean, log_mean):
    """Return ln(1 + r) - r, r = difference / mean; the term in r sums to 0 over the components.

    log_mean is the logarithm of mean + difference on the branch that is analytic in s.
    """
    r = difference / mean
    small = np.abs(r) < NEAR
    return np.where(small, _log1pmx_series(np.where(small, r, 0.0)), log_mean - np.log(mean) - r)


def beta_of(alpha: np.ndarray, labels: np.ndarray) -> np.ndarray:  # (..., n, C), (n,) -> (.., n, 2)
    """Return the law of the true label's confidence, Beta(α_y, α_0 - α_y), as parameters."""
    own = np.arange(alpha.shape[-1]) == np.asarray(labels)[..., None]
    parts = [np.where(mask, alpha, 0.0).sum(axis=-1) for mask in (own, ~own)]
    return np.stack(parts, axis=-1)
