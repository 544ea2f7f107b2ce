"""The logarithm of the multivariate beta function, in parts that do not cancel.

ln B(α) = Σ lnΓ(α_c) - lnΓ(α_0) is a difference of numbers as large as α_0 ln α_0, and what is
wanted of it (divergences of two near laws) may be 1e-10. With Stirling's series for each term,

    ln B(α) = Σ α_c ln m_c - ½ (Σ ln α_c - ln α_0) + Σ R(α_c) - R(α_0) + const,    m = α / α_0,

whose first part is linear along a ray, so that divergences of it are those of the means m, and
whose remainder R is small where α is large. Real or complex arguments off the negative axis.
"""

import numpy as np
import scipy

HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)
LARGE = 30.0  # from here on the series is exact to rounding, up to 150° from the positive axis
# B_2n / (2n (2n - 1)), the coefficients of R in 1/z, 1/z³, ...
SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
SHIFTS = 10
TRIGAMMA = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730)  # B_2n, of 1/z³, 1/z⁵, ...
NEAR = 0.1  # below which the series of log1p is summed
TERMS = 18


def log1pmx(x: np.ndarray) -> np.ndarray:
    """Return log(1 + x) - x, to full relative precision also where x is small; x > -1."""
    small = np.abs(x) < NEAR
    return np.where(small, _log1pmx_series(np.where(small, x, 0.0)), np.log1p(x) - x)


def _log1pmx_series(x):
    """Return -x² (1/2 - x/3 + x²/4 - ...), by Horner's rule."""
    total = np.zeros_like(x)
    for k in range(TERMS, 1, -1):
        total = 1.0 / k - x * total
    return -x * x * total


def remainder(z: np.ndarray) -> np.ndarray:
    """Return R(z) = lnΓ(z) - (z - ½) ln z + z - ½ ln 2π."""
    z = np.asarray(z)
    near = np.abs(z) < LARGE
    result = np.asarray(_odd_series(np.where(near, LARGE, z), SERIES))
    inner = z[near]
    log_gamma = (
        scipy.special.loggamma(inner) if np.iscomplexobj(inner) else scipy.special.gammaln(inner)
    )
    result[near] = log_gamma - (inner - 0.5) * np.log(inner) + inner - HALF_LOG_2PI
    return result


def remainder_slope(z: np.ndarray) -> np.ndarray:
    """Return R'(z) = ψ(z) - ln z + 1/(2z), real z > 0."""
    z = np.asarray(z)
    near = z < LARGE
    slopes = [-(2 * n + 1) * c for n, c in enumerate(SERIES)]
    outer, inner = np.where(near, LARGE, z), z[near]
    result = np.asarray(_odd_series(outer, slopes) / outer)
    result[near] = scipy.special.digamma(inner) - np.log(inner) + 0.5 / inner
    return result


def remainder_curvature(z: np.ndarray) -> np.ndarray:
    """Return R''(z) = ψ'(z) - 1/z - 1/(2z²), real z > 0."""
    near = z < LARGE
    curvatures = [(2 * n + 1) * (2 * n + 2) * c for n, c in enumerate(SERIES)]
    outer, inner = np.where(near, LARGE, z), z[near]
    result = np.asarray(_odd_series(outer, curvatures) / outer**2)
    result[near] = trigamma(inner) - 1.0 / inner - 0.5 / inner**2
    return result


def trigamma(x: np.ndarray) -> np.ndarray:
    """Return ψ'(x), x > 0, to 1e-13: some times as fast as the zeta function that SciPy asks."""
    x = np.asarray(x, np.float64)
    total = np.zeros_like(x)
    for k in range(SHIFTS):
        total += (x + k) ** -2.0
    z = x + SHIFTS
    return total + 1.0 / z + 0.5 / z**2 + _odd_series(z, TRIGAMMA) / z**2


def _odd_series(z, coefficients):
    """Return c_0 / z + c_1 / z³ + c_2 / z⁵ + ..."""
    inverse = 1.0 / z
    square, total = inverse * inverse, 0.0
    for c in reversed(coefficients):
        total = c + square * total
    return total * inverse


def log_means(alpha: np.ndarray) -> np.ndarray:  # (..., C) -> (..., C)
    """Return ln(α_c / α_0), exact also for the one mean that may round to 1."""
    total = alpha.sum(axis=-1, keepdims=True)
    top = alpha == alpha.max(axis=-1, keepdims=True)
    rest = np.where(top, 0.0, alpha).sum(axis=-1, keepdims=True)
    alone = top & (top.sum(axis=-1, keepdims=True) == 1)
    return np.where(alone, np.log1p(-rest / total), np.log(alpha / total))


def log_beta(alpha: np.ndarray) -> np.ndarray:  # (..., C) -> (...)
    """Return ln B(α) = Σ lnΓ(α_c) - lnΓ(α_0)."""
    total = alpha.sum(axis=-1)
    means = (alpha * log_means(alpha)).sum(axis=-1)
    logs = np.log(alpha).sum(axis=-1) - np.log(total)
    constant = (alpha.shape[-1] - 1) * HALF_LOG_2PI
    return means - 0.5 * logs + remainder(alpha).sum(axis=-1) - remainder(total) + constant
