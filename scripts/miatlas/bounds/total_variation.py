"""Total variation of two Dirichlet laws, which is the largest advantage of any attack.

For Dir(a), Dir(b) with densities f, g and L = ln f - ln g, whatever the number of classes,

    1 - TV = ∫ min(f, g) = E_g[min(1, e^L)] = 1/(2πi) ∫ M(s) / (s (1 - s)) ds,

M(s) = ∫ f^s g^(1-s), along any path from below to above that crosses the real axis between 0 and 1:
a Mellin inversion, as 1/(s (1-s)) is the transform of min(1, e^x). M is known in closed form, the
exponential of `log_chernoff`, so that this is one integral over a line, whatever C is.
"""

import numpy as np
from scipy.special import digamma, xlogy

from miatlas.bounds.divergences import log_chernoff
from miatlas.bounds.log_beta import log_beta, trigamma

NODES = 16  # of the coarsest rule; every finer one has as many again between them
EXACT, DOUBLINGS = 1e-11, 7
LOST = 1e-6  # the error above which a path was a bad one
CHUNK = 400_000  # complex numbers held at once, of each of a few arrays
SADDLE_STEPS = 16
INSIDE = 0.98
LEAST_VARIANCE = 1e-24
FARTHEST, SCOUTS = 36.0, 37
SLOPE = 1.0  # of a bent path, at most: 45 degrees
NEGLIGIBLE = -41.0  # ln of what the integrand has fallen to where the path is cut


def dirichlet(a: np.ndarray, b: np.ndarray, enough: float = EXACT) -> tuple[np.ndarray, np.ndarray]:
    """Return TV(Dir(a), Dir(b)) (n,) of parameters (n, C), and its estimated error (n,).

    The error is how far the trapezoidal rule and the one with half as many nodes are apart, which
    overestimates it: both converge exponentially. Where it is above `enough`, nodes are doubled,
    up to DOUBLINGS times; rounding, about 1e-14, is not in it.
    """
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    variation, error = np.zeros(len(a)), np.zeros(len(a))
    step = max(1, CHUNK // (a.shape[-1] * SCOUTS))
    for start in range(0, len(a), step):
        where = np.arange(start, min(start + step, len(a)))
        where = where[(a[where] != b[where]).any(axis=-1)]
        if len(where):
            variation[where], error[where] = _dirichlet(a[where], b[where], enough)
    return variation, error


def _dirichlet(a, b, enough):
    path = _path(a, b)
    variation, error = _along(a, b, path, enough)
    lost = np.flatnonzero(~(error <= max(enough, LOST)))
    if len(lost):  # many classes: far out the integrand may grow on a bent path, never on a line
        a, b = a[lost], b[lost]
        straight = [path[0][lost], path[1][lost], np.zeros(len(lost))]
        variation[lost], error[lost] = _along(a, b, straight, enough)
    return variation, error


def _along(a, b, path, enough):
    reach = _reach(a, b, path)
    affinity = _trapezoid(a, b, path, reach, NODES, offset=0.0)
    error, rough = np.full(len(a), np.inf), np.arange(len(a))
    for doubling in range(DOUBLINGS + 1):
        own = [part[rough] for part in path]
        nodes = NODES * 2**doubling
        between = _trapezoid(a[rough], b[rough], own, reach[rough], nodes, offset=0.5)
        better = (affinity[rough] + between) / 2.0
        error[rough] = np.abs(better - affinity[rough])
        affinity[rough] = better
        rough = np.flatnonzero(~(error <= enough))
        if not len(rough):
            break
    return np.clip(1.0 - affinity, 0.0, 1.0), error


def _trapezoid(a, b, path, reach, nodes, offset):
    """Return the integral by `nodes` equal steps of u from 0, or by those half a step further."""
    size = max(1, CHUNK // (a.shape[-1] * len(a)))
    total = np.zeros(len(a))
    for start in range(0, nodes, size):
        steps = np.arange(start, min(start + size, nodes))[:, None]
        values = _integrand(a, b, path, (steps + offset) / nodes * reach)
        weight = np.where(steps + offset == 0.0, 0.5, 1.0)  # half of an even function's middle
        total += (weight * values).sum(axis=0)
    return total * reach / nodes / np.pi


def _path(a, b):
    """Return where the path crosses the real axis, its scale there, and its slope far out.

    It crosses at about the least value of M: there the integrand falls off on both sides and does
    not oscillate. Far out, ln M(s) is about s (l + iπD) above the axis, which falls off best in the
    direction of -l + iπD.
    """
    d, d_0 = a - b, (a - b).sum(axis=-1)
    offset = log_beta(a) - log_beta(b)
    low, high = np.full(len(a), 1.0 - INSIDE), np.full(len(a), INSIDE)
    for _ in range(SADDLE_STEPS):
        middle = (low + high) / 2.0
        z = b + middle[:, None] * d
        mean = (d * digamma(z)).sum(axis=-1) - d_0 * digamma(z.sum(axis=-1)) - offset
        low, high = np.where(mean < 0, middle, low), np.where(mean < 0, high, middle)
    z = b + low[:, None] * d
    variance = (d**2 * trigamma(z)).sum(axis=-1) - d_0**2 * trigamma(z.sum(axis=-1))
    width = 1.0 / np.sqrt(np.maximum(variance, LEAST_VARIANCE))
    far = xlogy(d, np.abs(d)).sum(axis=-1) - xlogy(d_0, np.abs(d_0)) - offset
    against = np.where(d * d_0[:, None] < 0, np.abs(d), 0.0).sum(axis=-1)
    against = np.where(d_0 == 0, np.abs(d).sum(axis=-1) / 2.0, against)
    steepest = np.divide(-far, np.pi * against, out=-np.sign(far) * SLOPE, where=against > 0)
    return low, width, np.clip(steepest, -SLOPE, SLOPE)


def _points(u, centre, width, slope):
    """Return s and ds/du at u ≥ 0: up from the centre, then bent towards the slope."""
    scale = np.minimum(width, 0.5)
    t, dt = scale * np.sinh(u), scale * np.cosh(u)
    root = np.hypot(1.0, t / width)
    s = centre + 1j * t + slope * width * (root - 1.0)
    return s, dt * (1j + slope * t / (width * root))


def _integrand(a, b, path, u):  # u (T, n) -> (T, n)
    s, ds = _points(u, *path)
    m = np.exp(log_chernoff(a, b, s))
    return (m * ds / (s * (1.0 - s))).imag


def _reach(a, b, path):
    """Return the u (n,) beyond which nothing counts: the first of some where it fell off enough."""
    u = np.linspace(0.0, FARTHEST, SCOUTS)[:, None] * np.ones(len(a))
    s, ds = _points(u, *path)
    size = log_chernoff(a, b, s).real + np.log(np.abs(ds / (s * (1.0 - s))))
    counts = size > NEGLIGIBLE
    last = SCOUTS - 1 - counts[::-1].argmax(axis=0)
    return u[np.minimum(last + 1, SCOUTS - 1), np.arange(len(a))]
