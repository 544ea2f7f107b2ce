"""ROC curves and intervals against scikit-learn, SciPy, definitions and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit, ndtr
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_curve, roc_auc_score, roc_curve

from miatlas.leakage import metrics
from miatlas.leakage.hindsight import tpr_at_fpr
from miatlas.leakage.intervals import clopper_pearson, delong, newcombe
from miatlas.leakage.roc import (
    advantage,
    auc,
    balanced_accuracy,
    outline,
    recall_at_precision,
    roc,
)

games = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40).filter(
    lambda pairs: len({member for _, member in pairs}) == 2
)


def arrays(pairs):
    scores, member = zip(*pairs, strict=True)
    return np.array(scores, float), np.array(member)


def simulated(n1, n0, shift=1.0, seed=0, decimals=None):
    generator = np.random.default_rng(seed)
    member = np.arange(n1 + n0) < n1
    scores = generator.normal(size=n1 + n0) + shift * member
    return scores if decimals is None else scores.round(decimals), member


@settings(deadline=None)
@given(games, st.sampled_from([0.3, 0.5, 0.75, 0.8, 0.9, 1.0]))
def test_recall_at_a_precision_is_that_of_scikit_learn(pairs, level):
    scores, member = arrays(pairs)
    precision, recall, _ = precision_recall_curve(member, scores)
    expected = recall[precision >= level - 1e-9].max()  # its last point: recall 0, precision 1
    assert recall_at_precision(roc(scores, member), level) == pytest.approx(expected)


@settings(deadline=None)
@given(games)
def test_curve_and_area_agree_with_scikit_learn_also_on_ties(pairs):
    scores, member = arrays(pairs)
    curve = roc(scores, member)
    fpr, tpr, thresholds = roc_curve(member, scores, drop_intermediate=False)
    assert curve.fpr == pytest.approx(fpr)
    assert curve.tpr == pytest.approx(tpr)
    assert np.array_equal(curve.thresholds, thresholds)
    assert auc(curve)["value"] == pytest.approx(roc_auc_score(member, scores))


@settings(deadline=None)
@given(games)
def test_only_the_order_counts_and_the_opposite_attack_has_the_opposite_area(pairs):
    scores, member = arrays(pairs)
    straight = auc(roc(scores, member))
    assert auc(roc(np.exp(3 * scores) - 7, member)) == straight
    opposite = auc(roc(-scores, member))
    assert opposite["value"] == pytest.approx(1 - straight["value"])
    assert opposite["low"] == pytest.approx(1 - straight["high"], abs=1e-12)


def test_infinite_scores_are_scores():
    scores = np.array([np.inf, np.inf, 1.0, -np.inf, -np.inf])
    curve = roc(scores, np.array([True, False, True, True, False]))
    assert curve.true_positives.tolist() == [0, 1, 2, 3]
    assert curve.false_positives.tolist() == [0, 1, 1, 2]


def test_all_tied_scores_are_worth_nothing():
    member = np.arange(100) < 50
    entry = metrics.summary(0, roc(np.zeros(100), member))
    assert entry["auc"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert entry["advantage"] == 0.0
    assert [level["tpr"] for level in entry["tpr_at_fpr"]] == [0.0] * 5
    assert not entry["tpr_at_fpr"][-1]["below_resolution"]  # 5 were allowed, none could be taken


def test_balanced_accuracy_and_advantage_by_trying_every_threshold():
    scores, member = simulated(40, 60, seed=2, decimals=1)
    tried = [
        ((scores[member] >= t).mean() + (scores[~member] < t).mean()) / 2
        for t in [*scores, scores.max() + 1]
    ]
    curve = roc(scores, member)
    assert balanced_accuracy(curve) == pytest.approx(max(tried))
    assert advantage(curve) == pytest.approx(2 * (max(tried) - 0.5))


@pytest.mark.parametrize(("shift", "decimals"), [(1.0, None), (1.0, 0), (0.0, 1), (3.0, None)])
def test_delong_agrees_with_its_definition_over_all_pairs(shift, decimals):
    scores, member = simulated(30, 45, shift, seed=4, decimals=decimals)
    x, y = scores[member][:, None], scores[~member][None]
    wins = (x > y) + 0.5 * (x == y)
    variance = wins.mean(axis=1).var(ddof=1) / 30 + wins.mean(axis=0).var(ddof=1) / 45
    curve = roc(scores, member)
    assert auc(curve)["value"] == pytest.approx(wins.mean())
    reach = 1.959963984540054 * np.sqrt(variance) / (wins.mean() * (1 - wins.mean()))
    low, high = delong(curve.true_positives, curve.false_positives)
    assert logit(low) == pytest.approx(logit(wins.mean()) - reach)
    assert logit(high) == pytest.approx(logit(wins.mean()) + reach)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_delong_covers_the_truth_as_often_as_it_says(shift):
    curves = [roc(*simulated(80, 60, shift, seed=s)) for s in range(800)]
    found = [delong(curve.true_positives, curve.false_positives) for curve in curves]
    covered = np.mean([low <= ndtr(shift / np.sqrt(2)) <= high for low, high in found])
    assert 0.92 < covered < 0.975  # 0.95, four standard errors of 800 trials are 0.03


@pytest.mark.parametrize(("members", "nonmembers"), [(20, 400), (400, 20), (40, 900), (30, 30)])
@pytest.mark.parametrize("shift", [0.0, 2.0, 3.0])
def test_the_area_of_few_examples_of_a_kind_has_an_interval_that_covers(members, nonmembers, shift):
    curves = [roc(*simulated(members, nonmembers, shift, seed=s)) for s in range(500)]
    found = [auc(curve) for curve in curves]
    covered = np.mean([f["low"] <= ndtr(shift / np.sqrt(2)) <= f["high"] for f in found])
    assert covered > 0.93
    for curve, own in zip(curves, found, strict=True):  # never narrower than DeLong's
        low, high = delong(curve.true_positives, curve.false_positives)
        assert own["low"] <= low <= high <= own["high"]


def test_delong_alone_does_not_cover_the_area_of_few_examples_near_one():
    curves = [roc(*simulated(30, 900, 3.0, seed=s)) for s in range(500)]
    found = [delong(curve.true_positives, curve.false_positives) for curve in curves]
    assert np.mean([low <= ndtr(3.0 / np.sqrt(2)) <= high for low, high in found]) < 0.9


@pytest.mark.parametrize(("members", "nonmembers"), [(500, 500), (200, 3000)])
def test_with_enough_of_each_kind_the_interval_is_delongs(members, nonmembers):
    curve = roc(*simulated(members, nonmembers, 1.0, seed=1))
    found, own = auc(curve), delong(curve.true_positives, curve.false_positives)
    assert (found["low"], found["high"]) == own


@pytest.mark.parametrize(("area", "m", "n"), [(0.7, 10, 40), (0.98, 30, 900), (0.2, 15, 15)])
def test_newcombe_holds_the_areas_that_are_not_too_far_by_their_own_deviation(area, m, n):
    tried = np.linspace(0.0, 1.0, 100_001)[1:-1]
    same = (m + n) / 2  # both counts, in Hanley and McNeil's (1982) equations 1 and 2
    first, second = tried / (2 - tried), 2 * tried**2 / (1 + tried)
    spread = tried * (1 - tried)
    spread = spread + (same - 1) * (first - tried**2) + (same - 1) * (second - tried**2)
    held = tried[np.abs(tried - area) <= 1.959963984540054 * np.sqrt(spread / (m * n))]
    assert newcombe(area, m, n) == pytest.approx((held.min(), held.max()), abs=2e-5)


def test_delong_has_the_width_of_the_stratified_bootstrap():
    scores, member = simulated(150, 100, seed=6, decimals=1)
    generator = np.random.default_rng(0)
    draws = []
    for _ in range(600):
        again = np.concatenate(
            [generator.integers(150, size=150), generator.integers(150, 250, 100)]
        )
        draws.append(auc(roc(scores[again], member[again]))["value"])
    curve = roc(scores, member)
    low, high = delong(curve.true_positives, curve.false_positives)
    assert high - low == pytest.approx(2 * 1.96 * np.std(draws), rel=0.15)


def test_delong_where_there_is_no_variance_to_estimate():
    assert delong(np.array([0, 1]), np.array([0, 50])) == (0.0, 1.0)  # one member
    separated = np.array([0, 20, 20]), np.array([0, 0, 30])
    low, high = delong(*separated)
    assert high == 1.0
    assert low**20 == pytest.approx(0.025)  # an AUC of `low` orders 20 pairs with chance 2.5 %
    assert delong(*separated[::-1]) == pytest.approx((0.0, 1 - 0.025 ** (1 / 20)))


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (1, 25_000), (24_999, 25_000)])
def test_clopper_pearson_agrees_with_scipy(k, n):
    expected = binomtest(k, n).proportion_ci(0.95, "exact")
    assert clopper_pearson(k, n) == pytest.approx((expected.low, expected.high), rel=1e-9)


@settings(deadline=None)
@given(games, st.sampled_from([0.01, 0.1, 0.25, 0.5, 1.0]))
def test_true_positive_rate_is_the_best_that_the_level_allows(pairs, level):
    scores, member = arrays(pairs)
    rates = [
        ((scores[~member] >= t).mean(), (scores[member] >= t).mean()) for t in [*scores, np.inf]
    ]
    entry = tpr_at_fpr(roc(scores, member), level)
    assert entry["tpr"] == max(tpr for fpr, tpr in rates if fpr <= level)
    assert entry["realised_fpr"] <= level
    assert entry["tpr"] == entry["true_positives"] / member.sum()
    assert entry["realised_fpr"] == entry["false_positives"] / (~member).sum()
    assert entry["low"] <= entry["tpr"] <= entry["high"]
    assert entry["below_resolution"] == (level < 1 / (~member).sum())
    below = tpr_at_fpr(roc(scores, member), level, strict=True)
    assert below["tpr"] == max(tpr for fpr, tpr in rates if fpr < level)


def test_levels_that_are_whole_numbers_of_false_positives_are_reached():
    assert 0.29 * 100 < 29  # in floating point
    scores = np.concatenate([np.arange(100.0) + 0.5, np.arange(100.0)])
    curve = roc(scores, np.arange(200) < 100)
    for allowed in range(100):
        assert tpr_at_fpr(curve, allowed / 100)["false_positives"] == allowed
        below = tpr_at_fpr(curve, allowed / 100, strict=True)["false_positives"]
        assert below == max(allowed - 1, 0)


def test_below_the_resolution_the_rate_without_false_positives_is_given():
    scores, member = simulated(200, 500, shift=3.0)
    alone = (scores[member] > scores[~member].max()).sum()
    entry = tpr_at_fpr(roc(scores, member), 1e-3)
    assert entry["below_resolution"]
    assert (entry["true_positives"], entry["false_positives"]) == (alone, 0)
    assert entry["low"] < 0.05 < entry["tpr"]  # no non-member tells where the threshold is
    assert entry["tpr"] < entry["high"] < 1.0
    assert not tpr_at_fpr(roc(scores, member), 1 / 500)["below_resolution"]


def test_the_table_of_a_large_game_is_thin_and_draws_the_same_curve():
    curve = roc(*simulated(30_000, 30_000, seed=1))
    points = outline(curve)
    assert len(points) < 2100
    x, y = curve.false_positives, curve.true_positives
    low = np.flatnonzero(x <= 200)
    turns = [
        i
        for i in low[1:-1]
        if (x[i] - x[i - 1]) * (y[i + 1] - y[i]) != (x[i + 1] - x[i]) * (y[i] - y[i - 1])
    ]
    assert np.isin(turns, points).all()
    drawn = np.interp(curve.fpr + curve.tpr, (curve.fpr + curve.tpr)[points], curve.tpr[points])
    assert np.abs(drawn - curve.tpr).max() < 4 / 2000
    gaps = np.diff(np.log10(curve.fpr[points][curve.fpr[points] > 1e-3]))
    assert gaps.max() < 0.02  # decades: smooth on a log axis too
