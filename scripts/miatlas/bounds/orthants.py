"""How likely each decision set {c : p_c ≥ τ} is under a Dirichlet law: by inverting a transform.

With independent Gamma(α_c) variables x_c and p = x / Σx, for a set T of classes

    Pr[p_c ≥ τ for all c in T] = Γ(α_0) / (2πi) ∫ e^t t^(-α_0) Π_{c in T} Q(α_c, τt) dt

along a path from below to above that crosses the positive axis: the Laplace transform in Σx, Q the
regularised upper incomplete gamma function. The integrand falls off as exp((1 - |T|τ) t), so that
the path is bent to the left, and a few nodes suffice. At most K = ⌈1/τ⌉ - 1 classes reach τ; the
sets' own probabilities follow by inclusion and exclusion. Tables are (n, C, J), at J nodes, and of
e^(τt) Q, which does not overflow.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

NODES = 36  # errors of about 1e-8 for parameters that sum to 10, a few 1e-6 for 100
FALLEN = 34.0  # minus ln of what the integrand has fallen to at the last node
SERIES = 2.5  # |z| up to which, or up to α + 1, the series is summed
FRACTIONS = 30  # of the continued fraction
UNLIMITED = 1000
TERMS, SMALL = 600, 1e-13


class Table(NamedTuple):
    """e^(τt) Q(α_c, τt) at the nodes (n, C, J); weights of products of m of them (n, K + 1, J)."""

    q: np.ndarray
    weights: np.ndarray


def most(threshold: float) -> int:
    """Return K, how many classes can reach the threshold together; UNLIMITED at most."""
    return int(np.ceil(1.0 / max(threshold, 1.0 / (UNLIMITED + 1)) - 1e-9)) - 1


def table(
    alpha: np.ndarray, threshold: float, classes: np.ndarray | None = None, nodes: int = NODES
) -> Table:
    """Return what the probabilities follow from. alpha (n, C).

    `classes`: (n, k) indices of those that count, the others' Q being left out (default: all).
    """
    total = alpha.sum(axis=-1)
    centre = np.maximum(total, 1.0)
    width = np.sqrt(centre)
    left = 1.0 - most(threshold) * threshold
    reach = np.arccosh(1.0 + FALLEN / (width * left))
    u = (np.arange(nodes) + 0.5) / nodes * reach[:, None]
    scale = width[:, None]
    t = centre[:, None] + scale * (1j * np.sinh(u) - (np.cosh(u) - 1.0))
    dt = scale * (1j * np.cosh(u) - np.sinh(u))
    logs = gammaln(total)[:, None] + t - total[:, None] * np.log(t)
    orders = np.arange(most(threshold) + 1)[:, None]
    weights = np.exp(logs[:, None] - orders * threshold * t[:, None])
    weights = weights * (dt * (reach / nodes / np.pi)[:, None])[:, None]
    own = alpha if classes is None else np.take_along_axis(alpha, classes, axis=-1)
    return Table(upper(own[..., None], threshold * t[:, None]), weights)


def upper(a: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return e^z Q(a, z) = e^z Γ(a, z) / Γ(a), a > 0, z complex, not near the negative axis."""
    a, z = np.broadcast_arrays(a, z)
    result = np.empty(z.shape, complex)
    near = np.abs(z) < np.maximum(SERIES, a + 1.0)
    result[near] = np.exp(z[near]) - _lower(a[near], z[near])
    result[~near] = _far(a[~near], z[~near])
    return result


def _lower(a, z):
    """Return e^z P(a, z) = z^a Σ_k z^k / Γ(a + k + 1)."""
    term = np.exp(a * np.log(z) - gammaln(a + 1.0))
    sum_, ratio = np.ones_like(z), np.ones_like(z)
    for k in range(1, TERMS):
        ratio = ratio * (z / (a + k))
        sum_ += ratio
        if k % 8 == 0 and np.abs(ratio).max(initial=0.0) < SMALL:
            break
    return term * sum_


def _far(a, z):
    """Return e^z Q(a, z) by Legendre's continued fraction, from its end."""
    value = z + (2 * FRACTIONS + 1) - a
    for k in range(FRACTIONS, 0, -1):
        value = z + (2 * k - 1) - a - k * (k - a) / value
    return np.exp(a * np.log(z) - gammaln(a)) / value


def subsets(classes: int, largest: int) -> list[tuple[int, ...]]:
    """Return all sets of up to `largest` classes, the smaller ones first."""
    sizes = range(min(largest, classes) + 1)
    return [one for size in sizes for one in combinations(range(classes), size)]


def laws(found: Table, largest: int) -> np.ndarray:  # -> (n, sets)
    """Return the probability of every set that `subsets` lists of the table's classes."""
    sets = subsets(found.q.shape[1], largest)
    place = {one: i for i, one in enumerate(sets)}
    above = np.empty((len(found.q), len(sets)))
    products = {(): np.ones((), complex)}
    for one in sets:
        if one:
            products[one] = products[one[:-1]] * found.q[:, one[-1]]
            weights = found.weights[:, len(one)]
            above[:, place[one]] = np.einsum("nj,nj->n", products[one], weights).imag
    above[:, 0] = 1.0
    for size in range(largest, 0, -1):
        for one in sets:  # from Pr[at least T] to Pr[exactly T]
            if len(one) == size:
                for k in range(1, size + 1):
                    for smaller in combinations(one, size - k):
                        above[:, place[smaller]] -= above[:, place[one]]
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
