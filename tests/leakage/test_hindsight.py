"""The best threshold in hindsight: its intervals know of the search, and what noise reaches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from miatlas.leakage import hindsight
from miatlas.leakage.intervals import clopper_pearson
from miatlas.leakage.roc import advantage, roc


def normals(members, nonmembers, shift, generator):
    member = np.arange(members + nonmembers) < members
    return roc(generator.normal(size=len(member)) + shift * member, member)


@pytest.mark.parametrize(("n", "level"), [(150, 0.001), (150, 0.1), (2500, 0.01), (250_000, 0.1)])
def test_the_places_of_a_threshold_are_binomial(n, level):
    places = hindsight.threshold_places(n, level, draws=1000)
    chances = (np.arange(1000) + 0.5) / 1000
    assert np.array_equal(np.floor(places), binom.ppf(chances, n, level))
    assert (np.diff(places) > 0).all()
    assert places.mean() == pytest.approx(n * level + 0.5, abs=0.01 * np.sqrt(n * level) + 0.01)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=4, max_size=30))
def test_members_called_are_counted_between_neighbouring_non_members(pairs):
    scores, member = (np.array(column) for column in zip(*pairs, strict=True))
    if not member.any() or member.all():
        return
    curve, attained = roc(scores.astype(float), member), {}
    for threshold in [*scores, 99]:
        alarms = int((scores[~member] >= threshold).sum())
        attained.setdefault(alarms, []).append(int((scores[member] >= threshold).sum()))
    for count in range(int((~member).sum())):
        most = max(max(hits) for alarms, hits in attained.items() if alarms <= count)
        fewest = min(attained.get(count, [most]))
        found = hindsight.called_members(curve, count + np.array([0.0, 0.25, 1.0 - 1e-9]))
        assert found == pytest.approx([fewest, 0.75 * fewest + 0.25 * most, most], abs=1e-6)


@pytest.mark.parametrize(("n", "level"), [(150, 0.001), (500, 0.01), (10_000, 0.001)])
def test_the_interval_is_that_of_a_threshold_drawn_by_chance(n, level):
    generator = np.random.default_rng(3)
    curve = normals(n, n, 1.5, generator)
    draws = 40_000
    places = generator.binomial(n, level, draws) + generator.random(draws)
    called = hindsight.called_members(curve, places)
    tpr = generator.beta(called + 0.5, n - called + 0.5)
    expected = np.quantile(tpr, [0.025, 0.975])
    assert hindsight.tpr_interval(curve, level) == pytest.approx(expected, rel=0.06, abs=2e-3)


@pytest.mark.parametrize("expected", [0.01, 0.15, 0.5])
def test_with_no_non_member_above_a_threshold_lies_as_early_as_few_are_expected(expected):
    generator, n = np.random.default_rng(7), 50
    rates = np.sort(generator.random((200_000, n)), axis=1)[:, 0]  # FPR at the highest non-member
    level = expected / n
    ways = level / rates[rates > level]  # of the way to it
    places = hindsight.threshold_places(n, level, draws=4000)
    found = hindsight.earlier(places, expected)
    assert (found <= places).all()
    assert (found[places >= 1.0] == places[places >= 1.0]).all()
    inside = found[places < 1.0]
    for share in (0.05, 0.25, 0.5):  # where uniform places are not earlier still
        there = np.quantile(ways, share)
        assert np.quantile(inside, share) == pytest.approx(min(there, share), rel=0.1, abs=1e-3)


@pytest.mark.parametrize("n", [12, 30, 150])
@pytest.mark.parametrize("level", [1e-5, 1e-4, 1e-3])
@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_the_interval_covers_far_below_what_non_members_resolve(n, level, shift):
    generator, truth = np.random.default_rng(2), ndtr(shift + ndtri(level))
    entries = [hindsight.tpr_at_fpr(normals(800, n, shift, generator), level) for _ in range(400)]
    covered = np.mean([entry["low"] <= truth <= entry["high"] for entry in entries])
    assert covered > 0.93


@pytest.mark.parametrize(("n", "shift", "level"), [(500, 1.0, 0.01), (500, 3.0, 0.01)])
def test_the_interval_covers_where_that_of_a_given_threshold_does_not(n, shift, level):
    generator, truth = np.random.default_rng(11), ndtr(shift + ndtri(level))
    entries = [hindsight.tpr_at_fpr(normals(n, n, shift, generator), level) for _ in range(600)]
    covered = np.mean([entry["low"] <= truth <= entry["high"] for entry in entries])
    assert 0.935 < covered < 0.99
    given = [clopper_pearson(entry["true_positives"], n) for entry in entries]
    assert np.mean([low <= truth <= high for low, high in given]) < 0.7  # what was there before


def test_the_interpolated_rate_has_less_bias_than_the_rate_in_hindsight():
    generator, truth = np.random.default_rng(5), ndtr(1.0 + ndtri(0.01))
    games = [normals(500, 500, 1.0, generator) for _ in range(1000)]
    best = np.mean([curve.tpr[curve.false_positives <= 5].max() for curve in games]) - truth
    between = np.mean([hindsight.interpolated_tpr(curve, 0.01) for curve in games]) - truth
    assert best > 0.004
    assert abs(between) < best / 2


def test_the_slope_is_that_of_the_law():
    curve = normals(400_000, 400_000, 1.0, np.random.default_rng(2))
    for level in (0.01, 0.1):
        ratio = np.exp(-ndtri(level) - 0.5)  # of the densities at the threshold
        assert hindsight.slope(curve, level) == pytest.approx(ratio, rel=0.15)


def test_noise_reaches_what_random_labels_reach():
    generator = np.random.default_rng(8)
    found = np.array([advantage(normals(800, 817, 0.0, generator)) for _ in range(2000)])
    noise = hindsight.noise_reaches(800, 817)
    assert noise["mean"] == pytest.approx(found.mean(), rel=0.05)
    assert noise["high"] == pytest.approx(np.quantile(found, 0.95), rel=0.05)
    assert 0.5 + noise["mean"] / 2 == pytest.approx(0.5155, abs=5e-4)  # methods: 51.5 % of 1,617


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0, 3.0])
def test_the_interval_of_the_largest_difference_covers_also_on_noise(shift):
    generator, truth = np.random.default_rng(4), 2 * ndtr(shift / 2) - 1
    limits = [hindsight.advantage_interval(normals(200, 150, shift, generator)) for _ in range(600)]
    covered = np.mean([low <= truth <= high for low, high in limits])
    assert covered > 0.955
    assert all(0 <= low <= high <= 1 for low, high in limits)
