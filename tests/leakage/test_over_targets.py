"""Influence of examples, and intervals over targets: of these examples, of this population."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import t

from miatlas.leakage import influence, metrics
from miatlas.leakage.roc import roc
from miatlas.leakage.targets import over_targets, reach


@pytest.fixture
def game():
    generator = np.random.default_rng(3)
    member, evaluated = generator.random((1, 60)) < 0.4, generator.random((1, 60)) < 0.8
    scores = (generator.normal(size=(1, 60)) + member).round(1)
    scores[~evaluated] = np.nan
    return scores, member, evaluated


def weighted(scores, member, evaluated, weights, threshold):
    """Return the AUC, and TPR and FPR at the threshold, of weighted examples, by definition."""
    inside, outside = member & evaluated, ~member & evaluated
    x, y, w, v = scores[inside], scores[outside], weights[inside], weights[outside]
    wins = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    area = w @ wins @ v / w.sum() / v.sum()
    return np.array([area, w @ (x >= threshold) / w.sum(), v @ (y >= threshold) / v.sum()])


def test_influence_is_the_derivative_by_the_weight_of_an_example(game):
    scores, member, evaluated = game
    curve, step = roc(scores[evaluated], member[evaluated]), 1e-6
    by_auc = influence.of_auc([curve], *game)[0]
    by_tpr, by_fpr = (influence.of_rates(*game, [0.5], *on)[0] for on in ((1, 0), (0, 1)))
    for example in range(60):
        values = []
        for change in (-step, step):
            weights = np.ones(60)
            weights[example] += change
            values.append(weighted(*(array[0] for array in game), weights, 0.5))
        expected = (values[1] - values[0]) / (2 * step)
        found = [by_auc[example], by_tpr[example], by_fpr[example]]
        assert found == pytest.approx(expected, abs=1e-8)


def test_the_squares_of_influences_on_the_area_are_the_variance_of_delong(game):
    scores, member, evaluated = game
    curve = roc(scores[evaluated], member[evaluated])
    found = influence.of_auc([curve], *game)[0]
    x, y = scores[member & evaluated][:, None], scores[~member & evaluated]
    wins = (x > y) + 0.5 * (x == y)
    variance = wins.mean(axis=1).var() / len(x) + wins.mean(axis=0).var() / len(y)
    assert (found**2).sum() == pytest.approx(variance)


def test_without_shared_examples_both_intervals_are_students():
    values, n = np.array([0.48, 0.5, 0.51]), 3
    found = over_targets(values, np.zeros((n, 50)), [(0.0, 1.0)] * n)
    low, high = t.interval(0.95, n - 1, values.mean(), values.std(ddof=1) / np.sqrt(n))
    for key in ("these_examples", "this_population"):
        assert (found[key]["low"], found[key]["high"]) == pytest.approx((low, high), abs=1e-4)
    assert (found["mean"], found["std"], found["n"]) == (
        pytest.approx(values.mean()), pytest.approx(values.std(ddof=1)), 3,
    )  # fmt: skip


def test_the_upper_limit_of_a_small_rate_is_further_from_it():
    found = over_targets([0.001, 0.002, 0.006], np.zeros((3, 50)), [(0.0, 1.0)] * 3)
    mean, interval = found["mean"], found["this_population"]
    assert interval["low"] == 0.0
    assert interval["high"] - mean > found["these_examples"]["high"] - mean
    reach = found["these_examples"]["high"] - mean
    odds = mean / (1 - mean) * np.exp(reach / (mean * (1 - mean)))
    assert interval["high"] == pytest.approx(odds / (1 + odds))


def test_targets_judged_by_each_others_best_thresholds_err_together():
    values, n = [0.4, 0.5, 0.6], 3
    alone = over_targets(values, np.zeros((n, 9)), [(0.0, 1.0)] * n)["these_examples"]
    found = over_targets(values, np.zeros((n, 9)), [(0.0, 1.0)] * n, mutual=True)
    wider = (found["these_examples"]["high"] - 0.5) / (alone["high"] - 0.5)
    assert wider == pytest.approx(np.sqrt(2 - 1 / n))


def test_what_all_targets_share_does_not_average_out():
    generator = np.random.default_rng(0)
    alike = np.repeat(generator.normal(size=(1, 400)), 5, axis=0) / 400
    expected = 1.96 * np.sqrt((alike[0] ** 2).sum())
    assert reach(np.zeros(5), alike / 5) == pytest.approx(expected, rel=1e-3)
    own = generator.normal(size=(5, 400)) / 400
    assert reach(np.zeros(5), own / 5) < 0.5 * expected


def test_few_counts_and_targets_that_do_not_differ_have_exact_intervals():
    none = over_targets([0.0, 0.0], np.zeros((2, 9)), [(0.0, 0.1), (0.0, 0.2)])
    assert none["these_examples"] == none["this_population"] == {"low": 0.0, "high": 0.2}
    few = over_targets([0.01, 0.0101], np.zeros((2, 9)), [(0.0, 0.1)] * 2, summed=(0.002, 0.03))
    assert few["this_population"] == {"low": 0.002, "high": 0.03}
    alone = over_targets([0.3], np.zeros((1, 9)), [(0.2, 0.4)])
    assert alone["these_examples"] is alone["this_population"] is None
    assert alone["std"] is None


@pytest.mark.parametrize("value", [0.1, 0.06, 0.14, 1 / 3])
@pytest.mark.parametrize("targets", [3, 6, 10])
def test_targets_that_do_not_differ_but_by_rounding_have_an_interval(value, targets):
    """(0.1 + 0.1 + 0.1) / 3 is not 0.1, nor is the deviation of such values always 0."""
    values = [value] * targets
    found = over_targets(values, np.zeros((targets, 9)), [(0.05, 0.4)] * targets)
    assert found["these_examples"] == found["this_population"] == {"low": 0.05, "high": 0.4}


@pytest.mark.slow
@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_a_mean_rate_covers_also_where_the_level_allows_nearly_one_more(shift):
    """The largest TPR within a level that allows 0.95 false positives is that at none: too low."""
    examples = 1900
    generator, covered, truth = np.random.default_rng(7), [], ndtr(shift + ndtri(0.001))
    for _ in range(100):
        member = generator.random((10, examples)) < 0.5
        shared, own = generator.normal(size=examples), generator.normal(size=(10, examples))
        scores = (shared + own) / np.sqrt(2.0) + shift * member
        result = metrics.evaluate(scores, member, np.ones_like(member), np.arange(10), (0.001,))
        interval = result["mean"]["tpr_at_fpr"][0]["tpr"]["this_population"]
        covered.append(interval["low"] <= truth <= interval["high"])
    assert np.mean(covered) >= 0.95


def test_the_interval_of_the_population_covers_where_students_does_not():
    """Half of the variance of a score is the example's own, the same under ten targets."""
    generator, covered = np.random.default_rng(6), []
    for _ in range(120):
        member = generator.random((10, 200)) < 0.5
        shared, own = generator.normal(size=200), generator.normal(size=(10, 200))
        scores = np.sqrt(0.9) * shared + np.sqrt(0.1) * own + member
        result = metrics.evaluate(scores, member, np.ones_like(member), np.arange(10), (0.1,))
        truth, mean = 0.7602499389, result["mean"]["auc"]
        keys = ("these_examples", "this_population")
        covered.append([mean[key]["low"] <= truth <= mean[key]["high"] for key in keys])
        pooled = result["pooled"]["auc"]
        covered[-1].append(pooled["low"] <= truth <= pooled["high"])
    these, population, pooled = np.mean(covered, axis=0)
    assert these < 0.88
    assert population > 0.9
    assert pooled > 0.9
