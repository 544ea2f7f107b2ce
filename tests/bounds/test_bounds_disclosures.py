"""The three factors, and the limits under CV, TLC and DS: reference values, order, monotonicity."""

import numpy as np
import pytest
from scipy import special, stats

from miatlas.bounds import decision_sets, disclosures, factors, limits
from miatlas.bounds.log_beta import log_beta

POINT = (0.3, 0.2, 0.2)  # A, Δ, E


def laws(aleatoric=0.3, calibration=0.2, epistemic=0.2, classes=10):
    a, b = factors.laws(classes, aleatoric, calibration, epistemic)
    return np.atleast_2d(a), np.atleast_2d(b)


def generators(n, seed=0):
    return [np.random.default_rng([seed, i]) for i in range(n)]


def random_laws(n, classes, seed):
    draws = np.random.default_rng(seed)
    a = 10 ** draws.uniform(-1.5, 1.5, (n, classes))
    return a, a * 10 ** draws.uniform(-0.5, 0.5, (n, classes)), draws.integers(classes, size=n)


def test_reference_values_of_the_confidence_vector():
    limit = disclosures.confidence_vector(*laws())
    assert limit.advantage[0] == pytest.approx(0.6596, abs=5e-5)
    assert limit.error[0] < 1e-10
    pinsker_in, pinsker_out, _, huber_out, hellinger, _ = limits.all_bounds(limit.divergences)[:, 0]
    assert pinsker_in == pytest.approx(1.073, abs=5e-4)
    assert pinsker_out == pytest.approx(0.879, abs=5e-4)
    assert huber_out == pytest.approx(0.887, abs=5e-4)
    assert hellinger == pytest.approx(0.775, abs=5e-4)
    assert limits.NAMES[limit.name[0]] == "Hellinger"
    assert limit.bound[0] == hellinger


def test_reference_values_of_the_true_label_confidence():
    limit = disclosures.true_label_confidence(*laws(), [0])
    assert limit.advantage[0] == pytest.approx(0.318, abs=5e-4)
    pinsker_in, pinsker_out, _, huber_out, hellinger, _ = limits.all_bounds(limit.divergences)[:, 0]
    found = (pinsker_in, pinsker_out, huber_out, hellinger)
    assert found == pytest.approx((0.458, 0.403, 0.527, 0.407), abs=5e-4)
    assert limit.bound[0] == pinsker_out


def test_reference_values_of_the_decision_set():
    a, b = laws()
    bit = disclosures.true_label_bit(a, b, [0], 0.2)
    assert bit.advantage[0] == pytest.approx(0.013, abs=5e-4)
    limit = disclosures.decision_set(a, b, 0.2, generators(1))
    assert limit.advantage[0] == pytest.approx(0.1824, abs=5e-5)  # "about 0.181" was counted
    for found in (
        decision_sets.counted(a[0], b[0], 0.2, generators(1)[0], 60_000, label=0),
        decision_sets.weighed(a[0], b[0], 0.2, generators(1)[0], 5_000),
    ):
        assert found.error < 0.005
        assert found.variation == pytest.approx(limit.advantage[0], abs=4 * found.error)
        assert found.affinity == pytest.approx(limit.divergences.affinity[0], abs=0.005)


@pytest.mark.parametrize(("classes", "point", "expected"), [
    (10, POINT, 0.1824), (100, (0.5, 0.4, 0.2), 0.203),
])  # fmt: skip
def test_few_draws_are_right_on_average_with_many_classes(classes, point, expected):
    """Counting sets gives half of it with 100 classes: nearly every draw is another set."""
    a, b = laws(*point, classes=classes)
    found = [decision_sets.weighed(a[0], b[0], 0.2, g, 128) for g in generators(60)]
    values = [one.variation for one in found]
    error = np.std(values) / np.sqrt(60)
    assert np.mean(values) == pytest.approx(expected, abs=4 * error)
    assert np.mean([one.error for one in found]) == pytest.approx(np.std(values), rel=0.4)
    if classes == 100:
        assert np.isnan(decision_sets.counted(a[0], b[0], 0.2, generators(1)[0], 128)).all()


FAR_IN = np.array([2.45, 0.27, 0.11, 0.07, 0.56, 0.20, 853, 0.09, 7.07, 0.08])
FAR_OUT = np.array([0.61, 0.18, 0.09, 0.06, 0.23, 0.11, 1.32, 0.08, 3.53, 0.07])


def test_few_draws_bound_laws_that_are_far_apart():
    """A surely learnt digit that models without it confuse: its laws as they were fitted."""
    counted = decision_sets.counted(FAR_IN, FAR_OUT, 0.2, generators(1)[0], 200_000)
    limit = disclosures.decision_set(FAR_IN[None], FAR_OUT[None], 0.2, None)
    assert limit.bound[0] >= limit.advantage[0]
    assert limit.advantage[0] == pytest.approx(counted.variation, abs=4 * counted.error)
    assert limit.divergences.kl_in_out[0] == pytest.approx(counted.kl_in_out, rel=0.02)
    assert limit.divergences.affinity[0] == pytest.approx(counted.affinity, abs=0.003)


@pytest.mark.parametrize("classes", [10, 100])
def test_estimates_of_laws_obey_what_holds_of_any_two(classes):
    """With a threshold low enough for many sets, and with laws that are sure."""
    rng = np.random.default_rng(6)
    alpha = rng.gamma(0.3, 1.0, (2, 100, classes)) + 0.05
    alpha[:, ::2, 0] += 150.0
    limit = disclosures.decision_set(*alpha, 0.15, generators(100), draws=64)
    assert (limit.bound >= limit.advantage - 1e-7).all()
    kl = np.minimum(limit.divergences.kl_in_out, limit.divergences.kl_out_in)
    affinity = limit.divergences.affinity
    assert (affinity**2 <= 1 - limit.advantage**2 + 1e-6).all()
    assert (kl >= np.maximum(2 * limit.advantage**2, -2 * np.log(affinity)) - 0.01).all()


def unseen_by_sets(n, seed=0):
    """Laws too sure to be computed, which differ in how sure they are: two classes of three reach
    0.2 half the time under either. The vectors tell the laws apart, the sets hardly."""
    concentration = np.random.default_rng(seed).uniform(1.5e4, 3e4, (n, 1))
    mean = np.array([0.6, 0.2, 0.2])
    return concentration * mean, 1.5 * concentration * mean


def test_counting_makes_no_advantage_of_noise():
    """Few draws' estimates, some of them below 0, have the mean of many draws."""
    a, b = unseen_by_sets(400)
    assert not decision_sets.computed(a, b, 0.2).any()
    assert disclosures.confidence_vector(a, b).advantage.min() > 0.14
    first = [decision_sets._counted(p, q, 0.2, g, 128, None)[0].variation
             for p, q, g in zip(a, b, generators(400), strict=True)]  # fmt: skip
    limit = disclosures.decision_set(a, b, 0.2, generators(400), draws=128)
    many = [decision_sets.counted(p, q, 0.2, g, 100_000).variation
            for p, q, g in zip(a[:5], b[:5], generators(5, 1), strict=True)]  # fmt: skip
    for values in (np.array(first), limit.advantage):
        error = values.std() / np.sqrt(400)
        assert values.mean() == pytest.approx(np.mean(many), abs=4 * error + 0.001)
        assert 0.1 < (values < 0).mean() < 0.6
        assert np.maximum(values, 0.0).mean() > values.mean() + 4 * error  # what clipping would say


@pytest.mark.parametrize("apart", [0.3, 3.0])
def test_counted_sets_have_the_law_of_as_many_draws_as_one_likes(apart):
    """Two classes reach 0.2 about half the time: `apart` tenths of a deviation more or less."""
    mean = np.array([[0.6, 0.2, 0.2]])
    shift = apart / 20.0 * np.sqrt(0.16 / 2e4) * np.array([-2.0, 1.0, 1.0])
    a, b = (np.repeat(2e4 * (mean + sign * shift), 100, axis=0) for sign in (1, -1))
    limit = disclosures.decision_set(a, b, 0.2, generators(100), draws=128)
    many = decision_sets.counted(a[0], b[0], 0.2, generators(1)[0], 200_000)
    error = limit.advantage.std() / 10.0
    assert limit.error.max() < 0.006
    assert limit.advantage.std() == pytest.approx(limit.error.mean(), rel=0.4)
    assert limit.advantage.mean() == pytest.approx(many.variation, abs=4 * error + many.error)
    assert limit.bound.mean() == pytest.approx(hellinger(many.affinity), abs=0.004)


def hellinger(affinity):
    return float(limits.hellinger(affinity))


def test_where_draws_cannot_tell_nothing_is_told():
    """100 classes, τ = 0.05: nearly every draw is another set, however many are drawn."""
    a, b = laws(0.5, 0.4, 0.2, classes=100)
    assert not decision_sets.computed(a, b, 0.05)[0]
    limit = disclosures.decision_set(a, b, 0.05, generators(1), draws=128)
    parts = (limit.advantage, limit.error, limit.bound, *limit.divergences)
    assert np.isnan(np.concatenate(parts)).all()
    alike = decision_sets.counted(a[0], b[0], 0.05, generators(1)[0], 4000, label=0)
    assert alike.variation == pytest.approx(0.329, abs=0.015)  # of equal wrong classes it is known


def test_surer_laws_have_the_sets_of_their_quadrature():
    """Three classes, α_0 of up to 10,000: one class's Beta law, and what is left for the next."""
    for alpha in ([60.0, 21.0, 19.0], [6000.0, 2010.0, 1990.0], [7990.0, 2009.0, 1.0]):
        listed = decision_sets.listed(np.array([alpha]), 0.2)[0]
        total, (first, second) = sum(alpha), alpha[1:]
        v = (np.arange(20_000) + 0.5) / 20_000
        p = special.betaincinv(first, total - first, v)
        above = special.betaincc(second, alpha[0], np.minimum(0.2 / (1.0 - p), 1.0))
        both = (above * (p >= 0.2)).mean()  # p_0 reaches 0.2 whatever they do
        assert listed[orthant(0, 1, 2)] == pytest.approx(both, abs=3e-5)
        only = stats.beta.sf(0.2, first, total - first) - both
        assert listed[orthant(0, 1)] == pytest.approx(only, abs=3e-5)


def orthant(*classes):
    """The place of a set of three classes among all of them."""
    return sum(2**c for c in classes)


def test_the_bit_is_the_difference_of_two_probabilities():
    a, b, labels = random_laws(50, 5, seed=1)
    for threshold in (0.05, 0.3, 0.8):
        shares = []
        for alpha in (a, b):
            own = alpha[np.arange(50), labels]
            shares.append(stats.beta.sf(threshold, own, alpha.sum(axis=1) - own))
        limit = disclosures.true_label_bit(a, b, labels, threshold)
        assert limit.advantage == pytest.approx(np.abs(shares[0] - shares[1]), abs=1e-12)
        p, q = shares
        with np.errstate(divide="ignore", invalid="ignore"):
            kl = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
        known = np.minimum(np.minimum(p, 1 - p), np.minimum(q, 1 - q)) > 1e-8
        assert known.sum() > 10
        assert limit.divergences.kl_in_out[known] == pytest.approx(kl[known], rel=1e-6, abs=1e-9)
        assert (limit.bound >= limit.advantage - 1e-12).all()


def test_two_classes_make_the_true_label_the_whole_vector():
    a, b, labels = random_laws(300, 2, seed=2)
    whole, own = (
        disclosures.confidence_vector(a, b),
        disclosures.true_label_confidence(a, b, labels),
    )
    assert own.advantage == pytest.approx(whole.advantage, abs=1e-9)
    assert own.bound == pytest.approx(whole.bound, abs=1e-9)
    for part, other in zip(own.divergences, whole.divergences, strict=True):
        assert part == pytest.approx(other, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("threshold", [0.2, 0.45, 0.6, 0.9])
def test_exact_laws_of_the_set_are_those_of_draws(threshold):
    for classes in (2,) if threshold < 0.5 else (2, 4):
        a, b, _ = random_laws(6, classes, seed=3)
        exact = disclosures.decision_set(a, b, threshold, None)
        assert (exact.error == 0).all()
        for i in range(len(a)):
            found = decision_sets.counted(a[i], b[i], threshold, generators(1)[0], 50_000)
            assert found.variation == pytest.approx(exact.advantage[i], abs=5 * found.error + 1e-5)
            assert found.affinity == pytest.approx(exact.divergences.affinity[i], abs=0.02)


def test_the_law_of_a_set_is_that_of_plain_counting():
    a, b, _ = random_laws(1, 4, seed=4)
    found = decision_sets.counted(a[0], b[0], 0.25, generators(1)[0], 200_000)
    counts = []
    for alpha, seed in ((a[0], 1), (b[0], 2)):
        p = np.random.default_rng(seed).dirichlet(alpha, 400_000)
        codes = (p >= 0.25) @ [1, 2, 4, 8]
        counts.append(np.bincount(codes, minlength=16) / 400_000)
    plain = np.abs(counts[0] - counts[1]).sum() / 2
    assert found.variation == pytest.approx(plain, abs=5 * found.error + 0.004)
    assert found.affinity == pytest.approx(np.sqrt(counts[0] * counts[1]).sum(), abs=0.005)


def test_equal_laws_have_no_advantage_even_by_few_draws():
    a, _, labels = random_laws(20, 10, seed=5)
    limit = disclosures.decision_set(a, a, 0.1, generators(20), draws=64)
    assert (limit.advantage == 0).all()
    for limit in (
        disclosures.confidence_vector(a, a),
        disclosures.true_label_confidence(a, a, labels),
        disclosures.true_label_bit(a, a, labels, 0.3),
    ):
        assert limit.advantage == pytest.approx(np.zeros(20), abs=1e-12)
        assert limit.bound == pytest.approx(np.zeros(20), abs=1e-6)


@pytest.mark.parametrize("classes", [3, 10])
def test_less_disclosed_is_less_to_win(classes):
    """Data processing: CV ≥ TLC ≥ its bit, CV ≥ DS ≥ the bit."""
    a, b, labels = random_laws(400, classes, seed=classes)
    whole = disclosures.confidence_vector(a, b).advantage
    own = disclosures.true_label_confidence(a, b, labels).advantage
    assert (whole >= own - 1e-9).all()
    for threshold in (0.1, 0.3, 0.6):
        bit = disclosures.true_label_bit(a, b, labels, threshold).advantage
        assert (own >= bit - 1e-9).all()
        few = slice(None) if threshold > 0.5 else slice(60)
        sets = disclosures.decision_set(a[few], b[few], threshold, None)
        assert (whole[few] >= sets.advantage - 1e-5).all()
        assert (sets.advantage + 1e-5 >= bit[few]).all()


def holds(limit):
    """Whether every bound, not only the least and not cut at 1, is at least the advantage."""
    return limits.all_bounds(limit.divergences)[:-1] >= limit.advantage - 1e-7


def test_no_bound_is_below_what_a_bit_or_a_listed_set_tells():
    """4,000 bits, 1,000 sets each way of listing them; CV is never less than either."""
    for classes in (2, 3, 10, 100):
        a, b, labels = random_laws(1000, classes, seed=10 + classes)
        whole = disclosures.confidence_vector(a, b).advantage
        for part, threshold in enumerate((0.02, 0.2, 0.5, 0.8)):
            rows = slice(250 * part, 250 * (part + 1))
            bit = disclosures.true_label_bit(a[rows], b[rows], labels[rows], threshold)
            assert holds(bit).all()
            assert (whole[rows] >= bit.advantage - 1e-9).all()
    for classes, threshold, slack in ((2, 0.3, 1e-9), (5, 0.7, 1e-9), (3, 0.3, 1e-6)):
        a, b, _ = random_laws(1000, classes, seed=20 + classes)
        known = decision_sets.computed(a, b, threshold) | (slack == 1e-9)
        sets = disclosures.decision_set(a[known], b[known], threshold, None)
        assert known.mean() > 0.8
        assert holds(sets).all()
        whole = disclosures.confidence_vector(a[known], b[known]).advantage
        assert (whole >= sets.advantage - slack).all()


def grids(classes, draws):
    """A random point, and a grid through it of each factor, where no mean is cut."""
    top = 1.0 - 1.0 / classes
    a = draws.uniform(0.15, 0.95) * top
    most = a / (1.0 - a)
    delta, e = draws.uniform(0.02, 0.9) * min(most, 2.0), 10 ** draws.uniform(-2, -0.05)
    least = delta / (1.0 + delta)
    point = {"aleatoric": a, "calibration": delta, "epistemic": e}
    yield {**point, "calibration": np.linspace(0.0, 0.95 * most, 8)}, 1
    yield {**point, "aleatoric": np.linspace(least + 0.02 * (top - least), top, 8)}, -1
    yield {**point, "epistemic": np.linspace(0.01, 0.97, 8)}, -1


@pytest.mark.parametrize("classes", [2, 3, 10, 100, 1000])
def test_advantage_and_bound_fall_wherever_they_start(classes):
    draws = np.random.default_rng(classes)
    for _ in range(1 if classes == 1000 else 6):
        for factors_of, step in grids(classes, draws):
            a, b = factors.laws(classes, **factors_of)
            for limit in (
                disclosures.confidence_vector(a, b, 1e-8),
                disclosures.true_label_confidence(a, b, np.zeros(8, int)),
            ):
                assert (step * np.diff(limit.advantage) >= -1e-6).all()
                assert (step * np.diff(limit.bound) >= -1e-6).all()


def test_a_thousand_classes_with_parameters_of_a_thousandth():
    """Against draws; the last pair's path, bent, would leave the region where the integral is."""
    draws = np.random.default_rng(0)
    a = 10 ** draws.uniform(-3, 0, (4, 1000))
    b = a * 10 ** draws.uniform(-0.03, 0.03, a.shape)
    last = factors.laws(1000, 0.999, 0.41, 0.1191)
    a, b = (np.concatenate([some, one[None]]) for some, one in zip((a, b), last, strict=True))
    limit = disclosures.confidence_vector(a, b)
    assert limit.error.max() < 1e-9
    assert (limit.bound >= limit.advantage).all()
    for p, q, value in zip(a, b, limit.advantage, strict=True):
        log_p = decision_sets.log_draws(p, 4000, draws)
        ratio = log_p @ (p - q) - log_beta(p) + log_beta(q)
        lost = -np.expm1(np.minimum(-ratio, 0))
        assert value == pytest.approx(lost.mean(), abs=5 * lost.std() / np.sqrt(4000))


GRIDS = {
    "calibration": np.linspace(0.0, 0.42, 30),  # A = 0.3 > Δ / (1 + Δ)
    "aleatoric": np.linspace(0.17, 0.9, 30),
    "epistemic": np.linspace(0.02, 0.98, 30),
}


@pytest.mark.parametrize("factor", GRIDS)
def test_advantage_and_bound_fall_with_each_factor(factor):
    """They fall as Δ falls, as A rises, as E rises."""
    given = dict(zip(("aleatoric", "calibration", "epistemic"), POINT, strict=True))
    a, b = factors.laws(10, **{**given, factor: GRIDS[factor]})
    step = 1 if factor == "calibration" else -1
    for limit in (
        disclosures.confidence_vector(a, b),
        disclosures.true_label_confidence(a, b, np.zeros(30, int)),
    ):
        for curve in (limit.advantage, limit.bound):
            assert (step * np.diff(curve) >= -1e-6).all()
            assert abs(curve[-1] - curve[0]) > 0.05


def test_factors_and_laws_are_inverse():
    draws = np.random.default_rng(6)
    for classes in (2, 10, 100):
        a = draws.uniform(0.3, 1 - 1 / classes, 200)
        delta = draws.uniform(-0.9, 0.99, 200)
        delta *= np.where(delta > 0, a / (1 - a), 1.0)
        e = draws.uniform(1e-4, 0.999, 200)
        back = factors.factors(*factors.laws(classes, a, delta, e), np.zeros(200, int))
        assert back.aleatoric == pytest.approx(a)
        assert back.calibration == pytest.approx(delta, abs=1e-9)
        assert back.epistemic == pytest.approx(e)
        assert back.epistemic_in == pytest.approx(e)


def test_factors_broadcast():
    both = factors.laws(10, 0.3, np.array([0.0, 0.2]), np.full((3, 1), 0.2))
    assert [alpha.shape for alpha in both] == [(3, 2, 10)] * 2


def test_factors_are_moments_of_the_laws():
    (alpha_in,), (alpha_out,) = laws(0.4, 0.25, 0.1)
    generator = np.random.default_rng(0)
    p_in, p_out = (generator.dirichlet(alpha, 200_000) for alpha in (alpha_in, alpha_out))
    assert 1 - p_out[:, 0].mean() == pytest.approx(0.4, abs=0.002)
    assert p_in[:, 0].mean() / p_out[:, 0].mean() == pytest.approx(1.25, abs=0.005)
    mean = p_out.mean(axis=0)
    assert p_out.var(axis=0).sum() / (mean * (1 - mean)).sum() == pytest.approx(0.1, abs=0.002)


def test_factors_of_an_example_without_doubt_keep_their_digits():
    alpha = np.array([[1e12, 0.1, 0.2]])
    back = factors.factors(alpha, alpha, [0])
    assert back.aleatoric[0] == pytest.approx(3e-13, rel=1e-9)


@pytest.mark.parametrize(
    "wrong", [(0.95, 0.1, 0.2), (-0.1, 0.1, 0.2), (0.3, -1.0, 0.2), (0.3, 0.1, 1.0)]
)
def test_factors_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="must lie"):
        factors.laws(10, *wrong)
    assert np.isfinite(factors.laws(10, 0.0, 0.5, 0.2)[0]).all()  # cut, not refused


def test_draws_are_finite_for_tiny_parameters_and_have_their_moments():
    log_p = decision_sets.log_draws(np.array([1e-3, 2e-3, 5.0]), 100_000, np.random.default_rng(0))
    assert np.isfinite(log_p).all()
    p = np.exp(log_p)
    assert p.sum(axis=1) == pytest.approx(np.ones(100_000))
    assert p.mean(axis=0) == pytest.approx(np.array([1e-3, 2e-3, 5.0]) / 5.003, abs=3e-4)
