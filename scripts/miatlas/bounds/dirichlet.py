"""Dirichlet laws fitted to confidence vectors by maximum likelihood, for many examples at once.

The likelihood of k vectors depends on them by g_c, the mean of ln p_c. It is largest where
ψ(α_c) - ψ(α_0) = g_c for every class (Minka 2000, "Estimating a Dirichlet distribution"). Given
t = α_0, all classes but the largest follow, α_c = ψ⁻¹(g_c + ψ(t)); what is left is one equation in
t for each example, solved by Newton's method between limits that close in. Written for the sum of
the smaller classes it stays exact where a model is all but sure and α_0 is 1e12.
"""

from typing import NamedTuple

import numpy as np
import scipy

from miatlas.bounds.log_beta import trigamma

LOWEST, HIGHEST = np.log(1e-6), np.log(1e16)  # of ln α_0
RESOLVED = 1e-15  # Σ m_c (ln m_c - g_c), about (C - 1) / (2 α_0): below it there is only rounding
STEPS, TOLERANCE = 60, 1e-10  # of Newton's method, and of ln α_0
INVERSE_STEPS, COLD_STEPS = 3, 6  # of ψ⁻¹, from near by and from a first guess
SMALLEST_G = -1e6
CHUNK = 2**20  # numbers held at once, of each of about ten arrays


class Summary(NamedTuple):
    """What k vectors of each of n examples say: count (n,), mean p and mean ln p (n, C)."""

    count: np.ndarray
    mean: np.ndarray
    mean_log: np.ndarray


class Fit(NamedTuple):
    """Parameters alpha (n, C), whether they solve the equations, and the steps taken (n,)."""

    alpha: np.ndarray
    converged: np.ndarray
    steps: np.ndarray


def log_confidences(logits: np.ndarray) -> np.ndarray:  # (..., C) -> (..., C)
    """Return ln softmax(z) in float64: finite, and exact also for a p that rounds to 1."""
    z = np.asarray(logits, np.float64)
    z = z - z.max(axis=-1, keepdims=True)
    top = z.argmax(axis=-1)[..., None]
    powers = np.exp(z)
    np.put_along_axis(powers, top, 0.0, axis=-1)
    return z - np.log1p(powers.sum(axis=-1, keepdims=True))


def of_confidence(phi: np.ndarray) -> np.ndarray:  # (...) -> (..., 2)
    """Return ln p_y and ln(1 - p_y) of the logit-scaled confidence phi: two classes of a Beta."""
    phi = np.asarray(phi, np.float64)
    return -np.stack([np.logaddexp(0.0, -phi), np.logaddexp(0.0, phi)], axis=-1)


def summarise(log_p: np.ndarray, mask: np.ndarray) -> Summary:
    """Return the summary of the vectors of the models in the mask: log_p (R, n, C), mask (R, n).

    nan where the mask has no model.
    """
    count = mask.sum(axis=0)
    weights = mask.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_log = np.einsum("rn,rnc->nc", weights, log_p) / count[:, None]
        mean = np.einsum("rn,rnc->nc", weights, np.exp(log_p)) / count[:, None]
    return Summary(count, mean, mean_log)


def shrunk(own: Summary, towards: Summary, weight: float) -> Summary:
    """Return `own` with `weight` further vectors that say, on average, what `towards` says.

    The conjugate prior of a Dirichlet law: pseudo-observations. Towards the vectors of IN and OUT
    models together, it keeps two fits to few vectors from being sure of a difference.
    """
    total = own.count + weight
    share = (own.count / np.maximum(total, 1e-300))[:, None]
    mean, mean_log = (
        share * a + (1.0 - share) * b for a, b in zip(own[1:], towards[1:], strict=True)
    )
    return Summary(total, mean, mean_log)


def together(one: Summary, other: Summary) -> Summary:
    """Return the summary of both sets of vectors, either counting half."""
    means = ((a + b) / 2.0 for a, b in zip(one[1:], other[1:], strict=True))
    return Summary(one.count + other.count, *means)


def fit(summary: Summary, start: np.ndarray | None = None) -> Fit:
    """Return the Dirichlet laws of largest likelihood.

    `start`: parameters (n, C) to begin with (default: α_0 from the mean of p and of ln p, Minka's
    approximation of the moments). Vectors that agree to the last bit have no such law: α_0 is then
    huge, and not converged. Two different vectors suffice.
    """
    n, classes = summary.mean_log.shape
    step = max(1, CHUNK // classes)
    parts = [
        _fit(
            summary.mean[i : i + step],
            np.maximum(summary.mean_log[i : i + step], SMALLEST_G),
            None if start is None else start[i : i + step],
        )
        for i in range(0, max(n, 1), step)
    ]
    return Fit(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _fit(mean, g, start):
    n = len(g)
    top = g.argmax(axis=1)[:, None]
    g_top = np.minimum(np.take_along_axis(g, top, axis=1)[:, 0], -1e-300)
    rest = _without(g, top)
    x = np.clip(np.log(start.sum(axis=1)) if start is not None else _moments(mean, g), -9.0, 34.0)
    alpha = None if start is None else _without(start, top)
    low, high = np.full(n, LOWEST), np.full(n, HIGHEST)
    steps, active = np.zeros(n, int), np.arange(n)
    alpha = (
        inverse_digamma(rest + scipy.special.digamma(np.exp(x))[:, None])
        if alpha is None
        else alpha
    )
    for _ in range(STEPS):
        t = np.exp(x[active])
        alpha[active] = inverse_digamma(
            rest[active] + scipy.special.digamma(t)[:, None], alpha[active]
        )
        value, slope = _excess(t, alpha[active], g_top[active])
        low[active] = np.where(value > 0, x[active], low[active])
        high[active] = np.where(value > 0, high[active], x[active])
        newton = x[active] - value / slope
        inside = (newton >= low[active]) & (newton <= high[active])
        moved = np.where(inside, newton, (low[active] + high[active]) / 2.0)
        done = np.abs(moved - x[active]) < TOLERANCE
        x[active], steps[active] = moved, steps[active] + 1
        active = active[~done]
        if not len(active):
            break
    t = np.exp(x)
    alpha = inverse_digamma(rest + scipy.special.digamma(t)[:, None], alpha)
    left = np.maximum(t - alpha.sum(axis=1), 1e-300)
    resolved = (x < HIGHEST - 0.01) & (_spread(mean, g) > RESOLVED)
    converged = np.isin(np.arange(n), active, invert=True) & resolved
    return _with(alpha, left, top), converged, steps


def _excess(t, alpha, g_top):
    """Return ln of what ψ(t) - ψ(α_top) is over what it should be, -g_top, and its slope in ln t.

    α_top = t - Σα of the other classes. The difference is taken without cancellation; it falls as t
    grows, and counts as too large where the others alone are more than t.
    """
    others = alpha.sum(axis=1)
    possible = others < t * (1.0 - 1e-12)
    others = np.where(possible, others, t / 2.0)
    top = t - others
    gap = -np.log1p(-others / t) + _correction(t) - _correction(top)
    gap = np.maximum(gap, 1e-300)
    slope_t = trigamma(t)
    grows = (slope_t[:, None] / trigamma(alpha)).sum(axis=1)  # d others / dt
    slope = t * (slope_t - trigamma(top) * (1.0 - grows)) / gap
    value = np.where(possible, np.log(gap) - np.log(-g_top), 50.0)
    usable = possible & np.isfinite(slope) & (slope < 0)
    return value, np.where(usable, slope, -1e-6)


def _correction(z):
    """Return ψ(z) - ln z, by its series where z is large."""
    large = np.maximum(z, 20.0)
    series = -0.5 / large - (1 / 12 - (1 / 120 - 1 / 252 / large**2) / large**2) / large**2
    small = np.minimum(z, 20.0)
    return np.where(z >= 20.0, series, scipy.special.digamma(small) - np.log(small))


def _moments(mean, g):
    """Return ln α_0 from the spread."""
    return np.log((g.shape[1] - 1) / (2.0 * np.maximum(_spread(mean, g), RESOLVED)))


def _spread(mean, g):
    """Return Σ m_c (ln m_c - g_c) ≥ 0, which is about (C - 1) / (2 α_0)."""
    m = np.maximum(mean, 1e-300)
    return (m * (np.log(m) - g)).sum(axis=1)


def inverse_digamma(y: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Return x with ψ(x) = y, by Newton's method from Minka's first guess, or from `start`."""
    if start is None:
        with np.errstate(over="ignore", divide="ignore"):
            x = np.where(y > -2.22, np.exp(y) + 0.5, -1.0 / (y - scipy.special.digamma(1.0)))
    else:
        x = start
    for _ in range(COLD_STEPS if start is None else INVERSE_STEPS):
        x = np.maximum(x - (scipy.special.digamma(x) - y) / trigamma(x), x / 4.0)
    return x


def _without(values, top):
    keep = np.arange(values.shape[1]) != top
    return values[keep].reshape(len(values), values.shape[1] - 1)


def _with(rest, of_top, top):
    result = np.empty((len(rest), rest.shape[1] + 1))
    keep = np.arange(result.shape[1]) != top
    result[keep] = rest.ravel()
    np.put_along_axis(result, top, of_top[:, None], axis=1)
    return result
