"""Transferred thresholds: from the other targets, never from the target itself."""

import numpy as np
import pytest
from scipy.stats import binom

from miatlas.leakage import metrics, thresholds
from miatlas.leakage.intervals import clopper_pearson, difference, ratio

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


@pytest.mark.parametrize(("moved", "called"), [(-0.1, 0.0), (0.0, 0.0), (0.1, 0.9)])
def test_a_block_of_equal_scores_is_called_whole_or_not_at_all(moved, called):
    """Shares of a few held-out examples tie: where a target's block lies above that of the others,
    an attacker with their threshold calls it, whatever FPR was meant."""
    generator = np.random.default_rng(3)
    member = generator.random((4, 1000)) < 0.5
    block = generator.random(member.shape) < 0.9
    scores = np.where(
        block, 0.5, generator.choice([0.1, 0.2, 0.9], member.shape, p=[0.5, 0.49, 0.01])
    )
    scores[0, block[0]] += moved
    result = metrics.evaluate(scores, member, np.ones_like(member), np.arange(4), levels=(0.01,))
    first, *others = (entry["transferred"]["rates"][0] for entry in result["targets"])
    assert first["realised_fpr"] == pytest.approx(called, abs=0.03)
    assert first["fpr_low"] <= first["realised_fpr"] <= first["fpr_high"]
    assert all(one["realised_fpr"] < 0.02 for one in others)


def test_precision_is_the_share_of_members_among_the_called_under_a_prior():
    members, others = 1_000, 99_000  # 1 % are members
    called = {"members": 0.4 * members, "others": 0.02 * others}
    expected = called["members"] / sum(called.values())
    assert thresholds.precision(0.4, 0.02)["0.01"] == pytest.approx(expected)
    assert thresholds.precision(0.4, 0.02)["0.5"] == pytest.approx(0.4 / 0.42)
    assert thresholds.precision(0.4, 0.0) == {"0.01": 1.0, "0.1": 1.0, "0.5": 1.0}
    assert thresholds.precision(0.0, 0.0) == {"0.01": None, "0.1": None, "0.5": None}


def test_the_interval_of_the_precision_is_that_of_the_ratio_of_the_rates():
    """Without a false accusation: 1 is possible, and the FPR's upper limit gives the lower end."""
    none, some = clopper_pearson(0, 600), clopper_pearson(12, 300)
    alone = thresholds.precision_limits(0.04, some, 0.0, none)
    ratio = none[1] / np.sqrt(some[0] * (0.08 - some[0]))  # MOVER-R with 0 on top
    assert alone["0.01"] == pytest.approx((1 / (1 + 99 * ratio), 1.0))
    assert alone["0.5"] == pytest.approx((1 / (1 + ratio), 1.0))
    assert thresholds.precision_limits(0.0, none, 0.0, none)["0.1"] == (0.0, 1.0)
    point = thresholds.precision_limits(0.04, (0.04, 0.04), 0.01, (0.01, 0.01))
    for prior, (low, high) in point.items():
        assert low == pytest.approx(high)
        assert low == pytest.approx(thresholds.precision(0.04, 0.01)[prior])


@pytest.mark.parametrize(("hits", "alarms"), [(12, 2), (40, 9), (3, 3), (299, 1)])
def test_a_ratio_ends_where_the_difference_of_both_sides_touches_nought(hits, alarms):
    tpr, of_tpr = hits / 300, clopper_pearson(hits, 300)
    fpr, of_fpr = alarms / 600, clopper_pearson(alarms, 600)
    for side, r in enumerate(ratio(fpr, of_fpr, tpr, of_tpr)):
        ends = difference(fpr, of_fpr, r * tpr, tuple(r * limit for limit in of_tpr))
        assert ends[side] == pytest.approx(0.0, abs=1e-12)
        assert ends[1 - side] != pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("tpr", "fpr"), [
    (0.04, 0.003), (0.04, 0.01), (0.01, 0.01), (0.3, 0.001), (0.5, 0.1), (0.01, 0.001),
])  # fmt: skip
def test_intervals_of_a_precision_hold_it(tpr, fpr):
    """Every pair of counts weighed with its chance: 95 % at least hold, at either side 97 %."""
    truth = thresholds.precision(tpr, fpr)["0.1"]
    low = high = 0.0
    of_hits, of_alarms = (binom.pmf(np.arange(301), 300, rate) for rate in (tpr, fpr))
    for hits in range(301):
        for alarms in range(61):
            chance = of_hits[hits] * of_alarms[alarms]
            if chance > 1e-7:
                found, accused = clopper_pearson(hits, 300), clopper_pearson(alarms, 300)
                both = thresholds.precision_limits(hits / 300, found, alarms / 300, accused)
                low += chance * (both["0.1"][0] > truth)
                high += chance * (both["0.1"][1] < truth)
    assert low + high <= 0.05
    assert max(low, high) <= 0.03


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


def in_its_place(audit):
    """The last three models of an audit stand in for the first, a single target."""
    names = ("scores", "member", "evaluated")
    others = {name: array[1:] for name, array in zip(names, audit, strict=False)}
    return metrics.evaluate(*(array[:1] for array in audit), levels=LEVELS, others=others)


def test_a_single_target_is_judged_by_the_thresholds_of_its_stand_ins(audit):
    scores, member, evaluated, _ = audit
    result = in_its_place(audit)
    at_levels, _, gap = slow_thresholds(scores, member, evaluated, 0)
    [entry] = [row["transferred"] for row in result["targets"]]
    own, inside = scores[0][evaluated[0]], member[0][evaluated[0]]
    for level, at, one in zip(LEVELS, at_levels, entry["rates"], strict=True):
        assert (one["level"], one["threshold"]) == (level, at)
        assert one["true_positives"] == (own[inside] >= at).sum()
        assert one["false_positives"] == (own[~inside] >= at).sum()
    at, chosen = entry["best"]["threshold"], evaluated[1:]
    called = scores[1:][chosen] >= at
    of_others = member[1:][chosen]
    assert called[of_others].mean() - called[~of_others].mean() == pytest.approx(gap)
    assert entry["best"]["tpr"] == (own[inside] >= at).mean()
    assert result["not_transferred"] is None
    assert result["thresholds_from"] == {
        "models": "shadow models", "count": 3, "nonmembers": (~of_others).sum(),
    }  # fmt: skip
    same = metrics.evaluate(*audit, levels=LEVELS)  # with the others as targets it is the same
    assert entry == same["targets"][0]["transferred"]
    counts = (~member & evaluated).sum(1)
    assert same["thresholds_from"] == {
        "models": "other targets", "count": 3, "nonmembers": counts.sum() - counts.max(),
    }  # fmt: skip


def test_the_mean_over_one_target_is_its_own_with_its_own_intervals(audit):
    result = in_its_place(audit)
    [entry] = [row["transferred"] for row in result["targets"]]
    mean = result["mean"]["transferred"]
    layout = metrics.evaluate(*audit, levels=LEVELS)["mean"]["transferred"]
    assert mean["best"].keys() == layout["best"].keys()
    pairs = [*zip(mean["rates"], entry["rates"], strict=True), (mean["best"], entry["best"])]
    for over, one in pairs:
        for key, low, high in (("tpr", "low", "high"), ("realised_fpr", "fpr_low", "fpr_high")):
            assert over[key] == {
                "mean": one[key], "std": None, "n": 1, "these_examples": None,
                "this_population": {"low": one[low], "high": one[high]},
            }  # fmt: skip
        assert over["precision"] == one["precision"]
    for key in ("balanced_accuracy", "advantage"):
        own = {name: entry["best"][key][name] for name in ("low", "high")}
        assert mean["best"][key]["this_population"] == own
        assert mean["best"][key]["mean"] == entry["best"][key]["value"]


def test_a_target_has_no_say_in_what_stands_in_for_it(audit):
    scores, member, evaluated, targets = audit
    moved = np.concatenate([7.0 - 3.0 * scores[:1], scores[1:]])
    before, after = (in_its_place((x, member, evaluated, targets)) for x in (scores, moved))
    taken = [
        [one["threshold"] for one in result["targets"][0]["transferred"]["rates"]]
        for result in (before, after)
    ]
    assert taken[0] == taken[1]


def test_of_noise_the_intervals_of_one_target_hold_the_level():
    generator, held = np.random.default_rng(4), []
    member = np.arange(600) % 2 == 0
    for _ in range(200):
        scores = generator.normal(size=(11, 600))
        both = np.tile(member, (11, 1))
        result = in_its_place((scores, both, np.ones_like(both), np.arange(11)))
        one = result["mean"]["transferred"]["rates"][LEVELS.index(0.1)]
        found = [one[key]["this_population"] for key in ("tpr", "realised_fpr")]
        best = result["mean"]["transferred"]["best"]["balanced_accuracy"]["this_population"]
        held.append([x["low"] <= 0.1 <= x["high"] for x in found])
        held[-1].append(best["low"] <= 0.5 <= best["high"])
    assert (np.mean(held, axis=0) >= 0.93).all()


def test_stand_ins_without_members_are_named(audit):
    scores, member, evaluated, targets = audit
    nobody = np.concatenate([member[:1], np.zeros_like(member[1:])])
    with pytest.raises(ValueError, match=r"in the target's place: .* no members"):
        in_its_place((scores, nobody, evaluated, targets))


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
