"""Divergences, total variation and bounds: closed forms against integrals, draws, properties."""

import mpmath
import numpy as np
import pytest
from scipy import integrate, special, stats

from miatlas.bounds import beta, divergences, limits
from miatlas.bounds import log_beta as gammas
from miatlas.bounds import total_variation as variation
from miatlas.bounds.decision_sets import log_draws

RANGES = [(-3, 0), (-1, 1), (0, 4), (-3, 6)]


def pairs(n, classes, low, high, seed=0, near=None):
    """Random parameters, log-uniform; `near`: the second law within that factor of the first."""
    draws = np.random.default_rng(seed)
    a = 10 ** draws.uniform(low, high, (n, classes))
    factor = 10 ** draws.uniform(-1, 1, (n, classes))
    b = a * factor**near if near else 10 ** draws.uniform(low, high, (n, classes))
    return a, b


def exact_kl(a, b):
    """KL(Dir(a) ‖ Dir(b)) with fifty digits."""
    with mpmath.workdps(50):
        a, b = [mpmath.mpf(x) for x in a.tolist()], [mpmath.mpf(x) for x in b.tolist()]
        total = mpmath.loggamma(sum(a)) - mpmath.loggamma(sum(b))
        slope = mpmath.digamma(sum(a))
        for x, y in zip(a, b, strict=True):
            total += mpmath.loggamma(y) - mpmath.loggamma(x)
            total += (x - y) * (mpmath.digamma(x) - slope)
        return float(total)


def exact_log_affinity(a, b):
    """ln BC with fifty digits."""
    with mpmath.workdps(50):
        a, b = ([mpmath.mpf(x) for x in side.tolist()] for side in (a, b))

        def log_beta(alpha):
            return sum(map(mpmath.loggamma, alpha)) - mpmath.loggamma(sum(alpha))

        middle = [(x + y) / 2 for x, y in zip(a, b, strict=True)]
        return float(log_beta(middle) - (log_beta(a) + log_beta(b)) / 2)


@pytest.mark.parametrize("near", [None, 0.1, 1e-2, 1e-5, 1e-8])
@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize(("low", "high"), RANGES)
def test_divergences_have_the_digits_of_fifty_digit_arithmetic(low, high, classes, near):
    a, b = pairs(8, classes, low, high, near=near)
    for i in range(len(a)):
        for p, q in ((a[i], b[i]), (b[i], a[i])):
            assert divergences.kl(p, q) == pytest.approx(exact_kl(p, q), rel=1e-9, abs=0)
        exact = exact_log_affinity(a[i], b[i])
        assert divergences.log_affinity(a[i], b[i]) == pytest.approx(exact, rel=1e-9, abs=0)


def test_a_thousand_classes_and_large_parameters_stay_exact():
    a, b = pairs(2, 1000, 5, 6, near=1e-4)
    for p, q in zip(a, b, strict=True):
        assert divergences.kl(p, q) == pytest.approx(exact_kl(p, q), rel=1e-8)
    assert (divergences.kl(a, a) == 0).all()
    assert variation.dirichlet(a, a)[0] == pytest.approx(np.zeros(2))


@pytest.mark.parametrize("classes", [2, 5])
def test_divergences_agree_with_draws(classes):
    a, b = pairs(6, classes, -0.5, 1, seed=3, near=0.4)
    generator = np.random.default_rng(0)
    for p, q in zip(a, b, strict=True):
        log_p = log_draws(p, 200_000, generator)
        ratio = log_p @ (p - q) - gammas.log_beta(p) + gammas.log_beta(q)
        error = ratio.std() / np.sqrt(len(ratio))
        assert divergences.kl(p, q) == pytest.approx(ratio.mean(), abs=5 * error + 1e-9)
        roots = np.exp(-ratio / 2)
        error = roots.std() / np.sqrt(len(roots))
        assert np.exp(divergences.log_affinity(p, q)) == pytest.approx(roots.mean(), abs=5 * error)


def test_log_beta_and_the_parts_it_is_made_of():
    alpha = 10 ** np.random.default_rng(0).uniform(-3, 6, (50, 4))
    plain = special.gammaln(alpha).sum(axis=1) - special.gammaln(alpha.sum(axis=1))
    assert gammas.log_beta(alpha) == pytest.approx(plain, rel=1e-9, abs=1e-8)
    x = np.concatenate([-np.geomspace(1e-9, 0.99, 30), np.geomspace(1e-9, 1e9, 40)])
    with mpmath.workdps(50):
        exact = [float(mpmath.log1p(mpmath.mpf(v)) - mpmath.mpf(v)) for v in x.tolist()]
    assert gammas.log1pmx(x) == pytest.approx(exact, rel=1e-13)
    z = np.geomspace(1e-3, 1e8, 60)
    assert gammas.trigamma(z) == pytest.approx(special.polygamma(1, z), rel=1e-12)
    step = 1e-5 * z
    slope = (gammas.remainder(z + step) - gammas.remainder(z - step)) / (2 * step)
    assert gammas.remainder_slope(z) == pytest.approx(slope, rel=1e-5)


def integrated(a, b):
    """TV of two Beta laws by adaptive quadrature of |f - g| in logit p."""
    log_a, log_b = -special.betaln(*a), -special.betaln(*b)

    def difference(u):
        logs = special.log_expit(u), special.log_expit(-u)
        return abs(
            np.exp(log_a + a[0] * logs[0] + a[1] * logs[1])
            - np.exp(log_b + b[0] * logs[0] + b[1] * logs[1])
        )

    far = 40.0 / min(*a, *b, 1.0)
    return integrate.quad(difference, -far, far, limit=2000, epsabs=1e-11)[0] / 2


def test_beta_total_variation_is_the_integral():
    a, b = pairs(40, 2, -0.7, 1.3, seed=1)
    exact = [integrated(p, q) for p, q in zip(a, b, strict=True)]
    assert beta.total_variation(a, b) == pytest.approx(exact, abs=2e-7)  # the quadrature's


def test_beta_distribution_function_has_its_tails():
    parameters = np.array([[0.5, 2.0], [3.0, 0.01], [1e-3, 1e-3], [20.0, 30.0]])
    for p in (1e-300, 1e-5, 0.3, 0.999):
        u = special.logit(p)
        expected = stats.beta.cdf(p, *parameters.T)
        assert beta.below(parameters, np.full(4, u)) == pytest.approx(expected, rel=1e-9)
    # Of a Beta(1e-3, 1e-3) half lies below e^-693, and e^-a|u| / 2 below u; as much above -u.
    for u in (-1000.0, -5000.0):
        low, high = beta.below(np.array([1e-3, 1e-3]), np.array([u, -u]))
        assert low == pytest.approx(np.exp(1e-3 * u) / 2, rel=1e-4)
        assert low + high == pytest.approx(1)


@pytest.mark.parametrize(("low", "high"), RANGES)
@pytest.mark.parametrize("near", [None, 0.3])
def test_the_line_integral_is_the_beta_laws_total_variation(low, high, near):
    """Two ways that share nothing: where densities cross, and a Mellin inversion. TLC = CV, C=2."""
    a, b = pairs(500, 2, low, high, near=near)
    found, error = variation.dirichlet(a, b)
    assert found == pytest.approx(beta.total_variation(a, b), abs=1e-9)
    assert error.max() < 1e-9


@pytest.mark.parametrize("classes", [3, 10])
def test_dirichlet_total_variation_agrees_with_draws(classes):
    a, b = pairs(12, classes, -1, 1.5, seed=5, near=0.3)
    found, _ = variation.dirichlet(a, b)
    generator = np.random.default_rng(1)
    for p, q, value in zip(a, b, found, strict=True):
        log_p = log_draws(p, 100_000, generator)
        ratio = log_p @ (p - q) - gammas.log_beta(p) + gammas.log_beta(q)
        lost = -np.expm1(np.minimum(-ratio, 0))  # TV = E_f[(1 - g/f)+]
        assert value == pytest.approx(lost.mean(), abs=5 * lost.std() / np.sqrt(1e5) + 1e-9)


def test_dirichlet_total_variation_is_symmetric_and_blind_to_the_order_of_classes():
    a, b = pairs(200, 6, -2, 3, near=0.4)
    found, _ = variation.dirichlet(a, b)
    assert variation.dirichlet(b, a)[0] == pytest.approx(found, abs=1e-9)
    assert variation.dirichlet(a[:, ::-1], b[:, ::-1])[0] == pytest.approx(found, abs=1e-9)
    loose, error = variation.dirichlet(a, b, enough=1e-4)
    assert np.abs(loose - found).max() < 1e-4
    assert error.max() < 1e-4


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("near", [None, 0.5, 0.05])
def test_no_bound_is_below_the_exact_total_variation(classes, near):
    for low, high in RANGES:
        a, b = pairs(400, classes, low, high, seed=classes, near=near)
        found, _ = variation.dirichlet(a, b)
        one, other = divergences.kl(a, b), divergences.kl(b, a)
        law = limits.Divergences(one, other, np.exp(divergences.log_affinity(a, b)))
        assert (limits.all_bounds(law) >= found - 1e-9).all()
        bound, name = limits.tightest(law)
        assert (bound <= 1).all()
        chosen = np.take_along_axis(limits.all_bounds(law), name[None], axis=0)[0]
        assert np.array_equal(bound, chosen)
        affinity = law.affinity
        assert (1 - affinity <= found + 1e-9).all()  # the other half of Le Cam's inequality


def test_bounds_are_the_formulas():
    law = limits.Divergences(np.array([0.5]), np.array([2.0]), np.array([0.6]))
    expected = [0.5, 1.0, np.sqrt(1 - np.exp(-0.5)), np.sqrt(1 - np.exp(-2)), 0.8, 1.0]
    assert limits.all_bounds(law)[:, 0] == pytest.approx(expected)
    assert len(limits.NAMES) == len(expected)
    assert limits.NAMES[limits.tightest(law)[1][0]].startswith("Pinsker, IN to OUT")


def neyman_pearson(a, b, draws=40_000):
    """The optimal ROC of two Dirichlet laws from sorted log-ratios of draws: FPR, TPR."""
    generator = np.random.default_rng(0)
    offset = gammas.log_beta(a) - gammas.log_beta(b)
    of_in, of_out = (np.sort(log_draws(p, draws, generator) @ (a - b) - offset) for p in (a, b))
    cuts = np.quantile(np.concatenate([of_in, of_out]), np.linspace(0.001, 0.999, 200))
    return [1 - np.searchsorted(side, cuts) / draws for side in (of_out, of_in)]


@pytest.mark.parametrize("classes", [2, 6])
def test_the_limit_of_the_tpr_is_above_the_optimal_roc_and_rises(classes):
    a, b = pairs(10, classes, -0.5, 1.2, seed=2, near=0.3)
    for p, q in zip(a, b, strict=True):
        law = limits.Divergences(
            divergences.kl(p, q), divergences.kl(q, p), np.exp(divergences.log_affinity(p, q))
        )
        total = variation.dirichlet(p[None], q[None])[0][0]
        fpr, tpr = neyman_pearson(p, q)
        fpr = np.minimum(fpr + 5 * np.sqrt(fpr / 4e4) + 3e-4, 1)  # 40,000 draws, some of them none
        for limit in (
            limits.tpr_limit(fpr, law, total), limits.tpr_limit(fpr, law),
            limits.tpr_limit(fpr, variation=total),
        ):  # fmt: skip
            assert (limit >= tpr - 0.015).all()
            assert (limit >= fpr).all()
            assert (limit <= 1).all()
        grid = np.linspace(0, 1, 501)
        curve = limits.tpr_limit(grid, law, total)
        assert (np.diff(curve) >= -1e-12).all()
        assert curve[-1] == 1


def test_each_limit_is_attained_by_two_bits():
    """For Bernoulli laws the divergences are those of one test: its own point is on the limit."""
    for t, f in ((0.5, 0.1), (0.9, 0.3), (0.02, 0.001)):
        p, q = np.array([t, 1 - t]), np.array([f, 1 - f])
        one, other = (p * np.log(p / q)).sum(), (q * np.log(q / p)).sum()
        law = limits.Divergences(one, other, np.sqrt(p * q).sum())
        for part in range(3):
            alone = limits.Divergences(np.inf, np.inf, 0.0)._replace(
                **{law._fields[part]: law[part]}
            )
            assert limits.tpr_limit(f, alone) == pytest.approx(t, abs=1e-9)
        assert limits.tpr_limit(f, law, t - f) == pytest.approx(t, abs=1e-9)


def test_limits_broadcast_over_examples_and_rates():
    law = limits.Divergences(
        np.array([[0.1], [3.0]]), np.array([[0.2], [2.0]]), np.full((2, 1), 0.8)
    )
    fpr = np.array([0.0, 0.01, 0.5])
    both = limits.tpr_limit(fpr, law)
    assert both.shape == (2, 3)
    for i in range(2):
        single = limits.Divergences(*(part[i, 0] for part in law))
        assert limits.tpr_limit(fpr, single) == pytest.approx(both[i])


def test_means_of_divergences_bound_the_pooled_attack():
    """Draw an example, then a model: the best pooled test, a common threshold, stays below."""
    a, b = pairs(30, 4, -0.5, 1.5, seed=9, near=0.3)
    one, other = divergences.kl(a, b).mean(), divergences.kl(b, a).mean()
    law = limits.Divergences(one, other, np.exp(divergences.log_affinity(a, b)).mean())
    total = variation.dirichlet(a, b)[0].mean()
    generator = np.random.default_rng(4)
    ratios = [[], []]
    for p, q in zip(a, b, strict=True):
        offset = gammas.log_beta(p) - gammas.log_beta(q)
        for side, alpha in zip(ratios, (p, q), strict=True):
            side.append(log_draws(alpha, 4000, generator) @ (p - q) - offset)
    of_in, of_out = (np.sort(np.concatenate(side)) for side in ratios)
    cuts = np.linspace(-5, 8, 60)
    tpr, fpr = (1 - np.searchsorted(side, cuts) / len(side) for side in (of_in, of_out))
    limit = limits.tpr_limit(fpr + 5 * np.sqrt(fpr / 1.2e5) + 1e-4, law, total)
    assert (limit >= tpr - 0.006).all()
    assert (tpr - fpr).max() == pytest.approx(total, abs=0.006)  # optimal, and reached
