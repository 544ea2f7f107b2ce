"""How likely each decision set {c : p_c ≥ τ} is under a Dirichlet law: by inverting a transform.

With independent Gamma(α_c) variables x_c and p = x / Σx, for a set T of classes

    Pr[p_c ≥ τ for all c in T] = Γ(α_0) / (2πi) ∫ e^t t^(-α_0) Π_{c in T} Q(α_c, τt) dt

along a path from below to above that crosses the positive axis: the Laplace transform in Σx, Q the
regularised upper incomplete gamma function. Where α_0 is large the integrand falls off as a normal
density does, far out as exp((1 - |T|τ) t): the path is bent to the left, and a few nodes suffice. K
classes at most reach τ; the sets' own probabilities follow by inclusion and exclusion. Tables are
(n, C, J), at J nodes, and of e^(τ(t - t_0)) Q, which does not overflow, t_0 being where the path
crosses the axis.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

NODES = 48  # errors of about 1e-9 for parameters that sum to up to 10,000
FALLEN = 34.0  # minus ln of what the integrand has fallen to at the last node
SLOPE, NORMAL = 0.5, 4.0  # of the path, to the left; its fall where the integrand is a normal one's
SERIES = 2.5  # |z| from which on, beyond α + 2 √α, a continued fraction is worked out
FRACTIONS = 30  # of it
UNLIMITED, LEFT = 1000, 1e-3
TERMS, SMALL = 5000, 1e-13


class Table(NamedTuple):
    """e^(τ(t-t_0)) Q(α_c, τt) at the nodes (n, C, J); weights of products of m (n, K + 1, J)."""

    q: np.ndarray
    weights: np.ndarray


def most(threshold: float, classes: int = UNLIMITED) -> int:
    """Return K, how many of the classes can reach the threshold together; UNLIMITED at most.

    Sets that would leave less than LEFT of 1 to all others are taken never to be.
    """
    largest = np.ceil((1.0 - LEFT) / max(threshold, 1.0 / (UNLIMITED + 1))) - 1
    return min(int(largest), classes)


def table(alpha, threshold: float, classes=None, nodes: int = NODES) -> Table:
    """Return what the probabilities follow from. alpha (n, C).

    `classes`: (n, k) indices of those that count, the others' Q being left out (default: all).
    """
    largest, total = most(threshold, alpha.shape[-1]), alpha.sum(axis=-1)
    centre = np.maximum(total, 1.0)[:, None]
    width = np.sqrt(centre)
    left = SLOPE * width * (1.0 - largest * threshold)
    reach = np.arccosh(1.0 + FALLEN / np.minimum(left, NORMAL))
    u = (np.arange(nodes) + 0.5) / nodes * reach
    away = width * (1j * np.sinh(u) - SLOPE * (np.cosh(u) - 1.0))  # t - t_0
    dt = width * (1j * np.cosh(u) - SLOPE * np.sinh(u)) * reach / nodes / np.pi
    t = centre + away
    logs = gammaln(total)[:, None] + t - total[:, None] * np.log(t)
    orders = np.arange(largest + 1)[:, None]
    weights = np.exp(logs[:, None] - orders * threshold * away[:, None]) * dt[:, None]
    own = alpha if classes is None else np.take_along_axis(alpha, classes, axis=-1)
    return Table(
        upper(own[..., None], threshold * t[:, None], threshold * centre[:, None]), weights
    )


def upper(a: np.ndarray, z: np.ndarray, less=0.0) -> np.ndarray:
    """Return e^(z - less) Q(a, z) = e^(z - less) Γ(a, z) / Γ(a), a > 0, z complex.

    z may lie anywhere but near the negative axis; `less` is real.
    """
    a, z, less = np.broadcast_arrays(a, z, less)
    result = np.empty(z.shape, complex)
    near = np.abs(z) < a + 2.0 * np.sqrt(a) + SERIES
    result[near] = np.exp((z - less)[near]) - _lower(a[near], z[near], less[near])
    result[~near] = _far(a[~near], z[~near], less[~near])
    return result


def _lower(a, z, less):
    """Return e^(z - less) P(a, z) = e^-less z^a Σ_k z^k / Γ(a + k + 1)."""
    term = np.exp(a * np.log(z) - gammaln(a + 1.0) - less)
    sum_, ratio = np.ones_like(z), np.ones_like(z)
    for k in range(1, TERMS):
        ratio = ratio * (z / (a + k))
        sum_ += ratio
        if k % 8 == 0 and np.abs(ratio).max(initial=0.0) < SMALL:
            break
    return term * sum_


def _far(a, z, less):
    """Return e^(z - less) Q(a, z) by Legendre's continued fraction, from its end."""
    value = z + (2 * FRACTIONS + 1) - a
    for k in range(FRACTIONS, 0, -1):
        value = z + (2 * k - 1) - a - k * (k - a) / value
    return np.exp(a * np.log(z) - gammaln(a) - less) / value


def subsets(classes: int, largest: int) -> np.ndarray:
    """Return all sets of up to `largest` classes, as numbers whose bits are the classes."""
    every = np.arange(2**classes)
    return every[_size(every, classes) <= largest]


def _size(sets, classes):
    return (sets[:, None] >> np.arange(classes) & 1).sum(axis=1)


def laws(found: Table, largest: int) -> np.ndarray:  # -> (n, sets)
    """Return the probability of every set that `subsets` lists of the table's classes."""
    n, classes, nodes = found.q.shape
    sets = subsets(classes, largest)
    place = np.full(2**classes, -1)
    place[sets] = np.arange(len(sets))
    products = np.ones((n, len(sets), nodes), complex)
    for c in range(classes):
        own = np.flatnonzero(sets >> c == 1)  # whose last class is c
        products[:, own] = products[:, place[sets[own] ^ (1 << c)]] * found.q[:, c, None]
    above = np.einsum("nsj,nsj->ns", products, found.weights[:, _size(sets, classes)]).imag
    above[:, 0] = 1.0
    for c in range(classes):  # from Pr[at least T] to Pr[exactly T]
        smaller = np.flatnonzero((sets >> c & 1) == 0)
        larger = place[sets[smaller] | (1 << c)]
        above[:, smaller[larger >= 0]] -= above[:, larger[larger >= 0]]
    return np.maximum(above, 0.0)


def probabilities(found: Table, inside: np.ndarray, largest: int) -> np.ndarray:
    """Return the probability (D,) of each set, inside (D, k) bool, of one example's classes.

    The table is (1, k, J), its classes sorted, those of the largest parameters first. Of a set S,
    Σ_{T ⊇ S} (-1)^|T\\S| Π_T Q: elementary symmetric polynomials of the other classes' Q. Those of
    many classes follow from power sums (Newton's identities); as a power of one class's Q may be
    huge where its parameter is more than α_0 / K, the first K - 1 are multiplied in by themselves.
    """
    q, weights = found.q[0], found.weights[0]  # (k, J), (K + 1, J)
    few = largest - 1
    product = np.ones((len(inside), q.shape[1]), complex)
    for c in np.flatnonzero(inside.any(axis=0)):
        product[inside[:, c]] *= q[c]
    rest = _symmetric(q[few:], inside[:, few:], largest)
    for c in range(min(few, len(q))):
        out = ~inside[:, c, None] * q[c]
        for k in range(largest, 0, -1):
            rest[k] = rest[k] + out * rest[k - 1]
    size, result = inside.sum(axis=1), np.zeros(len(inside))
    for k in range(largest + 1):
        ordered = weights[np.minimum(size + k, largest)] * (size + k <= largest)[:, None]
        result += (-1) ** k * (product * rest[k] * ordered).imag.sum(axis=1)
    return np.maximum(result, 0.0)


def _symmetric(q, inside, largest):
    """Return the elementary symmetric polynomials [(D, J)] of the q (k, J) outside each set."""
    member = inside.astype(np.float64)
    powers = []
    for i in range(1, largest + 1):
        power = q**i
        own = member @ power.real + 1j * (member @ power.imag)
        powers.append((-1) ** (i - 1) * (power.sum(axis=0) - own))
    found = [np.ones((len(inside), q.shape[1]), complex)]
    for k in range(1, largest + 1):
        found.append(sum(found[k - i] * powers[i - 1] for i in range(1, k + 1)) / k)
    return found
