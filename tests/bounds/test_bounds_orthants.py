"""Probabilities of decision sets by a Laplace inversion: integrals, draws, its special function."""

from itertools import pairwise

import mpmath
import numpy as np
import pytest
from scipy import integrate, special

from miatlas.bounds import orthants
from miatlas.bounds.decision_sets import log_draws


def listed(classes, largest):
    """All sets of up to `largest` classes, in the order of `orthants.subsets`."""
    sets = orthants.subsets(classes, largest)
    return [tuple(c for c in range(classes) if one >> c & 1) for one in sets.tolist()]


def of_three(alpha, threshold):
    """Set -> probability, three classes: p_0 first, then how p_1, p_2 share what is left.

    p_0 = Q(v), the quantile of its Beta law, v uniform; of p_1 / (1 - p_0), Beta(α_1, α_2), only
    the distribution function is asked for. Pieces end where another pattern becomes possible.
    """
    first, second, third = alpha
    rest = second + third

    def share(v, wanted):
        p = special.betaincinv(first, rest, v)
        left = special.betaincinv(rest, first, 1.0 - v)
        if (p >= threshold) != wanted[0]:
            return 0.0
        x = min(threshold / max(left, 1e-300), 1.0)  # p_1 reaches it from x on, p_2 up to 1 - x
        low, high = special.betainc(second, third, [x, 1.0 - x])
        if wanted[1]:
            return max(high - low, 0.0) if wanted[2] else 1.0 - max(low, high)
        return min(low, high) if wanted[2] else max(low - high, 0.0)

    ends = special.betainc(first, rest, [threshold, 1 - threshold, max(1 - 2 * threshold, 0.0)])
    ends = np.unique(np.concatenate([[0.0], ends, [1.0]]))
    found = {}
    for one in listed(3, 3):
        wanted = [c in one for c in range(3)]
        found[one] = sum(
            integrate.quad(share, low, high, args=(wanted,), epsabs=1e-10, limit=200)[0]
            for low, high in pairwise(ends)
        )
    return found


@pytest.mark.parametrize("threshold", [0.2, 0.3, 0.4, 0.5])
def test_three_classes_are_an_integral(threshold):
    alpha = np.array([
        [0.01, 0.01, 0.01], [0.01, 0.5, 30.0], [1.0, 1.0, 1.0], [2.0, 0.3, 7.0], [0.02, 3.0, 4.0],
        [30.0, 30.0, 40.0], [95.0, 0.01, 4.0], [310.0, 290.0, 400.0],
    ])  # fmt: skip
    largest = orthants.most(threshold)
    found = orthants.laws(orthants.table(alpha, threshold), largest)
    for one, law in zip(alpha, found, strict=True):
        exact = of_three(one, threshold)
        assert sum(exact.values()) == pytest.approx(1, abs=1e-8)
        expected = [exact[each] for each in listed(3, largest)]
        assert law == pytest.approx(expected, abs=1e-8)
        assert law.sum() == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize(("classes", "threshold"), [(4, 0.15), (10, 0.2)])
def test_sets_of_more_classes_are_those_of_draws(classes, threshold):
    alpha = 10 ** np.random.default_rng(classes).uniform(-1.5, 0.8, classes)
    largest, draws = orthants.most(threshold), 500_000
    law = orthants.laws(orthants.table(alpha[None], threshold), largest)[0]
    generator, powers = np.random.default_rng(0), 2 ** np.arange(classes)
    counts = np.zeros(2**classes)
    for _ in range(4):  # 2e6 draws in all
        inside = log_draws(alpha, draws, generator) >= np.log(threshold)
        counts += np.bincount(inside @ powers, minlength=2**classes)
    shares = np.array([counts[powers[list(s)].sum()] for s in listed(classes, largest)])
    shares /= 4 * draws
    error = np.sqrt(np.maximum(law * (1 - law), 1e-6) / (4 * draws))
    assert (np.abs(shares - law) < 5 * error).all()
    assert shares.sum() == pytest.approx(1)  # no set was drawn that is not listed
    assert law.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("classes", "threshold"), [(3, 0.4), (10, 0.2), (10, 0.35)])
def test_one_sets_probability_is_that_of_all_of_them(classes, threshold):
    """Newton's identities for one set against inclusion and exclusion for all sets."""
    draws = np.random.default_rng(classes)
    largest = orthants.most(threshold)
    sets = listed(classes, largest)
    inside = np.array([[c in one for c in range(classes)] for one in sets])
    for _ in range(5):
        alpha = np.sort(10 ** draws.uniform(-2, 1, (1, classes)))[:, ::-1]
        table = orthants.table(alpha, threshold)
        one_by_one = orthants.probabilities(table, inside, largest)
        assert one_by_one == pytest.approx(orthants.laws(table, largest)[0], abs=1e-8)


def test_classes_in_another_order_have_their_sets_in_that_order():
    alpha = np.array([[0.03, 2.0, 0.4, 11.0]])
    sets = listed(4, 3)
    laws = [orthants.laws(orthants.table(a, 0.28), 3)[0] for a in (alpha, alpha[:, ::-1])]
    turned = [sets.index(tuple(sorted(3 - c for c in one))) for one in sets]
    assert laws[1][turned] == pytest.approx(laws[0], abs=1e-8)


def test_the_incomplete_gamma_function_is_that_of_thirty_digits():
    """Where the path takes it: right of the negative axis, small and large, α from 1e-2 to 100."""
    draws = np.random.default_rng(0)
    a = 10 ** draws.uniform(-2, 2, 120)
    size = 10 ** draws.uniform(-2, 2, 120)
    z = size * np.exp(1j * draws.uniform(0, 0.6 * np.pi, 120))
    found = orthants.upper(a, z)
    with mpmath.workdps(30):
        exact = [
            complex(mpmath.exp(y) * mpmath.gammainc(x, y, regularized=True))
            for x, y in zip(a.tolist(), z.tolist(), strict=True)
        ]
    assert found == pytest.approx(np.array(exact), rel=1e-8, abs=1e-10)
    real = orthants.upper(a, size.astype(complex))
    expected = np.exp(size) * special.gammaincc(a, size)
    assert real.real == pytest.approx(expected, rel=1e-8)


def test_how_many_classes_reach_a_threshold_together():
    """k classes of at least τ each, and some left for the others: k τ < 1."""
    for threshold in (0.05, 0.2, 0.25, 0.3, 1 / 3, 0.4, 0.5, 0.7, 0.3333, 0.24999):
        k = orthants.most(threshold)
        assert k * threshold < 1 - orthants.LEFT <= (k + 1) * threshold
        assert orthants.most(threshold, 2) == min(k, 2)
