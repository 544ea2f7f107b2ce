"""Transferred thresholds: from the other targets, never from the target itself."""

import numpy as np
import pytest

from miatlas.leakage import metrics, thresholds
from miatlas.leakage.intervals import clopper_pearson

LEVELS = (0.01, 0.1)


@pytest.fixture
def audit():
    generator = np.random.default_rng(9)
    member, evaluated = generator.random((4, 300)) < 0.5, generator.random((4, 300)) < 0.8
    scores = (generator.normal(size=(4, 300)) + member).round(1)  # with ties
    scores[~evaluated] = np.nan  # never looked at
    return scores, member, evaluated, np.array([3, 5, 8, 13])


def slow_thresholds(scores, member, evaluated, target):
    """Return the least thresholds that the others' non-members allow, and their best one."""
    rows = [row for row in range(len(scores)) if row != target]
    inside = np.concatenate([scores[r][member[r] & evaluated[r]] for r in rows])
    outside = np.concatenate([scores[r][~member[r] & evaluated[r]] for r in rows])
    tried = np.unique(np.concatenate([inside, outside]))
    candidates = np.nextafter(np.unique(outside), np.inf)
    at_levels = [min(t for t in candidates if (outside >= t).mean() <= x) for x in LEVELS]
    gaps = [(inside >= t).mean() - (outside >= t).mean() for t in tried]
    return at_levels, tried[int(np.argmax(gaps))], max(gaps)


def test_thresholds_are_the_quantiles_of_the_other_targets(audit):
    scores, member, evaluated, _ = audit
    found = thresholds.of_others(scores, member, evaluated, LEVELS)
    for target, taken in enumerate(found):
        at_levels, _, gap = slow_thresholds(scores, member, evaluated, target)
        assert taken["levels"].tolist() == at_levels
        rows = np.arange(4) != target
        chosen = evaluated[rows]
        called = scores[rows][chosen] >= taken["best"]
        inside = member[rows][chosen]
        assert called[inside].mean() - called[~inside].mean() == pytest.approx(gap)


def test_the_target_has_no_say_in_its_thresholds(audit):
    scores, member, evaluated, _ = audit
    before = thresholds.of_others(scores, member, evaluated, LEVELS)
    moved = scores.copy()
    moved[2] = 7.0 - 3.0 * moved[2]
    after = thresholds.of_others(moved, ~member & (np.arange(4) == 2)[:, None] | member
                                 & (np.arange(4) != 2)[:, None], evaluated, LEVELS)  # fmt: skip
    assert after[2]["best"] == before[2]["best"]
    assert after[2]["levels"].tolist() == before[2]["levels"].tolist()
    assert after[0]["levels"].tolist() != before[0]["levels"].tolist()


def test_rates_are_shares_at_that_threshold_with_their_exact_intervals(audit):
    scores, member, evaluated, _ = audit
    result = metrics.evaluate(*audit, levels=LEVELS)
    for row, entry in enumerate(result["targets"]):
        own = scores[row][evaluated[row]]
        inside = member[row][evaluated[row]]
        for one in [*entry["transferred"]["rates"], entry["transferred"]["best"]]:
            called = own >= one["threshold"]
            assert one["true_positives"] == called[inside].sum()
            assert one["false_positives"] == called[~inside].sum()
            assert (one["tpr"], one["realised_fpr"]) == (
                called[inside].mean(), called[~inside].mean(),
            )  # fmt: skip
            limits = clopper_pearson(int(called[inside].sum()), int(inside.sum()))
            assert (one["low"], one["high"]) == limits
            limits = clopper_pearson(int(called[~inside].sum()), int((~inside).sum()))
            assert (one["fpr_low"], one["fpr_high"]) == limits
        best = entry["transferred"]["best"]
        accuracy = (best["tpr"] + 1 - best["realised_fpr"]) / 2
        assert best["balanced_accuracy"]["value"] == pytest.approx(accuracy)
        assert accuracy <= entry["balanced_accuracy"] + 1e-12  # hindsight is never worse
        assert best["advantage"]["value"] == pytest.approx(2 * accuracy - 1)


def test_precision_is_the_share_of_members_among_the_called_under_a_prior():
    members, others = 1_000, 99_000  # 1 % are members
    called = {"members": 0.4 * members, "others": 0.02 * others}
    expected = called["members"] / sum(called.values())
    assert thresholds.precision(0.4, 0.02)["0.01"] == pytest.approx(expected)
    assert thresholds.precision(0.4, 0.02)["0.5"] == pytest.approx(0.4 / 0.42)
    assert thresholds.precision(0.4, 0.0) == {"0.01": 1.0, "0.1": 1.0, "0.5": 1.0}
    assert thresholds.precision(0.0, 0.0) == {"0.01": None, "0.1": None, "0.5": None}


def test_means_over_the_targets_have_the_precision_of_the_mean_rates(audit):
    result = metrics.evaluate(*audit, levels=LEVELS)
    mean = result["mean"]["transferred"]
    for index, one in enumerate(mean["rates"]):
        each = [entry["transferred"]["rates"][index] for entry in result["targets"]]
        tpr, fpr = (np.mean([e[key] for e in each]) for key in ("tpr", "realised_fpr"))
        assert (one["level"], one["tpr"]["mean"]) == (LEVELS[index], pytest.approx(tpr))
        assert one["realised_fpr"]["mean"] == pytest.approx(fpr)
        assert one["precision"] == pytest.approx(thresholds.precision(tpr, fpr))
    accuracies = [e["transferred"]["best"]["balanced_accuracy"]["value"] for e in result["targets"]]
    assert mean["best"]["balanced_accuracy"]["mean"] == pytest.approx(np.mean(accuracies))


def test_on_noise_the_transferred_accuracy_is_a_half_and_that_in_hindsight_is_not():
    generator = np.random.default_rng(1)
    member = generator.random((40, 400)) < 0.5
    result = metrics.evaluate(
        generator.normal(size=member.shape), member, np.ones_like(member), np.arange(40), (0.01,)
    )
    best = result["mean"]["transferred"]["best"]["balanced_accuracy"]
    assert best["mean"] == pytest.approx(0.5, abs=0.015)
    hindsight = result["mean"]["balanced_accuracy"]
    assert hindsight["mean"] == pytest.approx(hindsight["noise_mean"], abs=0.006)
    assert hindsight["noise_mean"] > 0.53
    for interval in (best["this_population"], hindsight["this_population"]):
        assert interval["low"] <= 0.5 <= interval["high"]
    own = [entry["balanced_accuracy_interval"] for entry in result["targets"]]
    assert all(interval["low"] <= 0.5 for interval in own)


def test_one_target_has_nobody_to_take_a_threshold_from(audit):
    result = metrics.evaluate(*(array[:1] for array in audit))
    assert result["targets"][0]["transferred"] is None
    assert result["mean"]["transferred"] is None
    assert "at least two" in result["not_transferred"]
    assert metrics.evaluate(*audit)["not_transferred"] is None
    with pytest.raises(ValueError, match="at least two are needed"):
        thresholds.of_others(*(array[:1] for array in audit[:3]), LEVELS)


def test_a_threshold_above_everything_calls_nobody_and_is_null_in_the_file():
    generator = np.random.default_rng(1)
    member = np.arange(40) < 20
    scores = generator.normal(size=(2, 40)) - 9.0 * member  # the opposite of an attack
    both = np.stack([member, member])
    best = metrics.evaluate(scores, both, np.ones_like(both), np.arange(2))["targets"][0]
    best = best["transferred"]["best"]
    assert best["threshold"] is None
    assert (best["true_positives"], best["false_positives"]) == (0, 0)
    assert best["balanced_accuracy"]["value"] == 0.5
