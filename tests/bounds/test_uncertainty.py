"""What is measured of a cohort: factors, limits, floors, achieved advantages, calibration."""

import compute_bounds
import numpy as np
import pandas as pd
import pytest

from miatlas.bounds import advantage, conformal, dirichlet, disclosures, factors, uncertainty
from miatlas.bounds.decision_sets import log_draws
from miatlas.bounds.reliability import Reliability
from miatlas.signals.statistics import logit_scaled_confidence

SETTINGS = {"draws": 64, "folds": 4}


def cohort(models, examples, point=(0.4, 0.4, 0.1), classes=4, seed=0, held_out=0):
    """Logits ln p of models of a `half` design, p drawn from the laws that the factors describe."""
    draws = np.random.default_rng(seed)
    alpha_in, alpha_out = factors.laws(classes, *point)
    total = examples + held_out
    ranks = np.argsort(np.argsort(draws.random((models, total)), axis=0), axis=0)
    member = (ranks < models // 2) & (np.arange(total) < examples)
    log_in, log_out = (
        log_draws(alpha, models * total, draws).reshape(models, total, classes)
        for alpha in (alpha_in, alpha_out)
    )
    logits = np.where(member[..., None], log_in, log_out)
    labels = draws.integers(classes, size=total)
    shifted = (np.arange(classes) - labels[:, None]) % classes  # the laws are for label 0
    logits = np.take_along_axis(logits, np.broadcast_to(shifted, logits.shape), axis=-1)
    return logits, labels, member


class Signals:
    """As `answered.Signals`, from arrays."""

    paths = ("cohort.h5",)

    def __init__(self, logits, labels, member, role=None):
        self.logits, self.labels, self.member = logits, labels, member
        self.role = np.zeros(len(labels), int) if role is None else role
        self.evaluated = np.broadcast_to(self.role == 0, member.shape)
        self.shape, self.reads = member.shape, []

    def dimensions(self, name):
        return getattr(self, name).shape

    def read(self, name, where):
        self.reads.append(where)
        array = getattr(self, name)
        return array[where] if array.ndim == 1 else array[:, where]


def table_of(logits, labels, member, examples=None, **settings):
    examples = np.arange(len(labels)) if examples is None else examples
    everywhere = np.ones_like(member)
    settings = SETTINGS | {"thresholds": np.full(len(member), 0.25)} | settings
    return uncertainty.bounds_table(logits, member, everywhere, labels, examples, **settings)[0]


@pytest.fixture(scope="module")
def leaky():
    data = cohort(64, 300)
    return data, table_of(*data)


def test_factors_are_those_the_cohort_was_made_with(leaky):
    table = leaky[1]
    assert table["converged"].all()
    assert table["aleatoric"].mean() == pytest.approx(0.4, abs=0.01)
    assert table["calibration"].mean() == pytest.approx(0.4, abs=0.03)
    assert table["epistemic"].mean() == pytest.approx(0.1, abs=0.01)
    assert table["epistemic_in"].mean() == pytest.approx(0.1, abs=0.01)


def test_a_row_is_what_plain_calls_give(leaky):
    (logits, labels, member), table = leaky
    for i in (0, 77):
        alphas = []
        for mask in (member[:, i], ~member[:, i]):
            log_p = dirichlet.log_confidences(logits[mask, i])[:, None]
            summary = dirichlet.summarise(log_p, np.ones((mask.sum(), 1), bool))
            alphas.append(dirichlet.fit(summary).alpha)
        whole = disclosures.confidence_vector(*alphas)
        own = disclosures.true_label_confidence(*alphas, labels[i : i + 1])
        bit = disclosures.true_label_bit(*alphas, labels[i : i + 1], 0.25)
        for name, limit in (("cv", whole), ("tlc", own), ("bit", bit)):
            assert table[f"{name}_optimum"][i] == pytest.approx(limit.advantage[0], abs=2e-6)
            assert table[f"{name}_bound"][i] == pytest.approx(limit.bound[0], rel=1e-5)
            kl = limit.divergences.kl_in_out[0]
            assert table[f"{name}_kl_in_out"][i] == pytest.approx(kl, rel=1e-4)


def test_no_bound_is_below_its_optimum_and_less_disclosed_is_less(leaky):
    table = leaky[1]
    for name in ("cv", "tlc", "ds", "bit"):
        assert (table[f"{name}_bound"] >= table[f"{name}_optimum"] - 1e-6).all()
        assert table[f"{name}_bound_name"].str.len().min() > 3
    assert (table["cv_optimum"] >= table["tlc_optimum"] - 1e-6).all()
    assert (table["tlc_optimum"] >= table["bit_optimum"] - 1e-6).all()


def test_achieved_advantages_are_below_the_bound_of_the_true_laws(leaky):
    table = leaky[1]
    alpha_in, alpha_out = (np.atleast_2d(a) for a in factors.laws(4, 0.4, 0.4, 0.1))
    best = {
        "cv": disclosures.confidence_vector(alpha_in, alpha_out).advantage[0],
        "tlc": disclosures.true_label_confidence(alpha_in, alpha_out, [0]).advantage[0],
    }
    for name, value in best.items():
        error = table[f"{name}_achieved"].std() / np.sqrt(300)
        assert table[f"{name}_achieved"].mean() <= value + 3 * error
        assert table[f"{name}_achieved"].mean() > 0.8 * value
        covered = (table[f"{name}_low"] <= value) & (table[f"{name}_high"] >= value)
        assert covered.mean() > 0.93


def test_the_gap_to_the_optimum_closes_as_models_are_added():
    alpha_in, alpha_out = (np.atleast_2d(a) for a in factors.laws(4, 0.4, 0.4, 0.1))
    best = disclosures.confidence_vector(alpha_in, alpha_out).advantage[0]
    achieved, claimed = [], []
    for models in (8, 32, 128):
        table = table_of(*cohort(models, 400, seed=models))
        achieved.append(table["cv_achieved"].mean())
        claimed.append(table["cv_optimum"].mean())
    assert (np.diff(achieved) > -0.02).all()
    assert (np.diff(claimed) < 0).all()  # fits to few models claim too much
    assert achieved[0] < best < claimed[0]
    assert abs(achieved[-1] - best) < abs(achieved[0] - best)
    assert claimed[-1] == pytest.approx(best, abs=0.05)


def test_noise_is_no_advantage_and_is_told_by_the_floor():
    table = table_of(*cohort(32, 400, point=(0.4, 0.0, 0.1), seed=5))
    for name in ("cv", "tlc", "ds"):
        error = table[f"{name}_achieved"].std() / np.sqrt(400)
        assert abs(table[f"{name}_achieved"].mean()) < 4 * error
        covered = (table[f"{name}_low"] <= 0) & (table[f"{name}_high"] >= 0)
        assert covered.mean() > 0.93
    for name in ("cv", "tlc"):  # what fits make of noise, whoever was a member
        optimum, floor = table[f"{name}_optimum"], table[f"{name}_floor"]
        assert optimum.mean() == pytest.approx(floor.mean(), abs=0.02)
        assert floor.mean() > 0.05


def test_the_floor_does_not_see_membership(leaky):
    (_, _, member), table = leaky
    noise = table_of(*cohort(64, 300, point=(0.4, 0.0, 0.1)))
    assert table["cv_floor"].mean() < table["cv_optimum"].mean() / 2
    assert table["cv_floor"].mean() == pytest.approx(noise["cv_floor"].mean(), abs=0.05)
    half = uncertainty.split(member, np.arange(300), seed=0)
    assert (half <= member).all()
    assert (half.sum(axis=0) == 16).all()
    assert 0.3 < half[member].mean() < 0.7
    assert not np.array_equal(half[:, 0], half[:, 1])


def calls(member, logits, folds, monkeypatch):
    """The log-ratios by which the cross-validation judges, (tests, folds, M, n): nan if it is not.

    The three tests are made in the order cv, tlc, ds once a fold.
    """
    made, found = [], np.full((3, folds, *member.shape), np.nan)

    def recorded(make):
        def maker(*args):
            fold, which = divmod(len(made), 3)
            test = make(*args)
            made.append(test)

            def judge(models):
                values = test(models)
                found[which, fold, models, np.arange(member.shape[1])] = values
                return values

            return judge

        return maker

    log_p = dirichlet.log_confidences(logits)
    with monkeypatch.context() as patch:
        patch.setattr(advantage, "ratio_test", recorded(advantage.ratio_test))
        patch.setattr(advantage, "set_test", recorded(advantage.set_test))
        result = advantage.by_cross_validation(log_p, log_p[..., :2], member, ~member, 0.25, folds)
    return found, result


def test_a_models_own_membership_does_not_move_the_calls_it_is_judged_by(monkeypatch):
    """Swap who of a pair was the member: the fold that judges it says the same, all others do not.

    Models 2k and 2k + 1 are one IN, one OUT: the k-th of either kind, taken away by one fold.
    """
    logits, _, _ = cohort(12, 30, seed=3)
    first = np.random.default_rng(1).random((6, 30)) < 0.5
    member = np.stack([first, ~first], axis=1).reshape(12, 30)
    swapped = member.copy()
    swapped[2:4] = ~swapped[2:4]  # pair 1, of fold 1 of 3, with pair 4
    before, _ = calls(member, logits, 3, monkeypatch)
    after, _ = calls(swapped, logits, 3, monkeypatch)
    judged = np.isfinite(before)
    assert np.array_equal(judged, np.isfinite(after))
    assert (judged.sum(axis=1) == 1).all()  # every model once, by each test
    assert judged[:, 1, [2, 3, 8, 9]].all()
    assert np.array_equal(before[:, 1], after[:, 1], equal_nan=True)
    for which in range(3):
        for fold in (0, 2):
            own = judged[which, fold]
            assert (before[which, fold][own] != after[which, fold][own]).mean() > 0.1


def test_without_leaves_what_is_not_valid():
    mask = np.array([[True, True], [True, False], [False, True]])
    models = np.array([[0, 2]])
    assert advantage.without(mask, models, np.array([[True, False]])).tolist() == [
        [False, True], [True, False], [False, True],
    ]  # fmt: skip
    assert advantage.order(mask)[:, 1].tolist() == [0, 2, 1]


def test_every_model_is_called_once():
    """Ten IN models far from ten OUT models: every call is right, the interval that of 5.7."""
    logits, labels, member = cohort(20, 30, point=(0.6, 1.4, 0.01), seed=1)
    table = table_of(logits, labels, member, thresholds=np.full(20, 0.6), folds=3)
    assert (table["cv_achieved"] == 1).all()
    n = 10 / 1.75
    share = (n + 1) / (n + 2)
    half = 1.959964 * np.sqrt(2 * share * (1 - share) / (n + 2))
    expected = 2 * share - 1 - half
    assert table["cv_low"].to_numpy() == pytest.approx(np.full(30, expected), abs=1e-5)
    assert (table["cv_high"] == 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("models", [8, 32])
@pytest.mark.parametrize("calibration", [0.0, 0.2, 0.4])
def test_intervals_of_an_example_cover(models, calibration):
    """Many examples of one law: their mean is the truth that 93 % of the intervals should hold."""
    logits, _, member = cohort(models, 1500, point=(0.4, calibration, 0.1), seed=models)
    log_p = dirichlet.log_confidences(logits)
    own = dirichlet.of_confidence(logit_scaled_confidence(logits, np.zeros(1500, int)))
    for found in advantage.by_cross_validation(log_p, own, member, ~member, 0.25, 8).values():
        truth = found["achieved"].mean()
        assert ((found["low"] <= truth) & (truth <= found["high"])).mean() > 0.93


@pytest.mark.slow
@pytest.mark.parametrize("models", [8, 16])
def test_the_interval_of_the_mean_covers_where_models_differ(models):
    """Some models are surer than others, about all examples: that varies with the models alone."""
    found = []
    for seed in range(100):
        logits, labels, member = cohort(models, 600, point=(0.4, 0.2, 0.1), seed=seed)
        surer = np.exp(0.4 * np.random.default_rng(seed).normal(size=(models, 1, 1)))
        log_p = dirichlet.log_confidences(logits * surer)
        own = dirichlet.of_confidence(logit_scaled_confidence(logits * surer, labels))
        result = advantage.by_cross_validation(log_p, own, member, ~member, 0.25, 8)["tlc"]
        assert result["by_model"].sum() == pytest.approx(result["achieved"].sum())
        limits = advantage.of_mean(result["achieved"], result["by_model"])
        found.append((result["achieved"].mean(), *limits))
    value, low, high = np.transpose(found)
    covered = (low <= value.mean()) & (value.mean() <= high)
    assert covered.mean() > 0.9  # 93 % of 100, less two deviations


@pytest.mark.parametrize("sign", [1, -1])
def test_the_interval_of_the_mean_stays_within_what_an_advantage_can_be(sign):
    achieved = sign * np.array([1.0, 1.0, 1.0, 0.4])
    low, high = advantage.of_mean(achieved, sign * np.array([1.4, 1.0, 0.5, 0.5]))
    assert (low if sign == -1 else high) == sign
    assert -1 <= low <= achieved.mean() <= high <= 1


def test_examples_with_few_models_are_left_out_or_unknown():
    logits, labels, member = cohort(12, 20, seed=2)
    member = member.copy()
    member[:, 0] = True
    member[:, 1] = np.arange(12) < 11
    member[:, 2] = np.arange(12) < 10
    table = table_of(logits, labels, member)
    assert table["example"].tolist() == list(range(2, 20))
    assert np.isnan(table["cv_achieved"][0])  # two OUT models: a fit, but not without one of them
    assert table["cv_achieved"][1:].notna().all()
    assert table["models_in"].tolist()[:2] == [10, 6]


def test_what_is_not_evaluated_is_neither_in_nor_out():
    logits, labels, member = cohort(16, 12, seed=4)
    evaluated = np.random.default_rng(0).random(member.shape) < 0.8
    garbage = np.where(evaluated[..., None], logits, 50.0)
    settings = {**SETTINGS, "folds": 16, "thresholds": np.full(16, 0.25)}
    tables = [
        uncertainty.bounds_table(z, member, evaluated, labels, np.arange(12), **settings)[0]
        for z in (logits, garbage)
    ]
    pd.testing.assert_frame_equal(*tables)


def test_slices_change_nothing_and_hold_bounded_memory():
    logits, labels, member = cohort(16, 60, seed=6, held_out=20)
    role = np.where(np.arange(80) < 60, 0, 1)
    whole = Signals(logits, labels, member, role)
    table, reliability = uncertainty.measure(whole, draws=32)
    # 100 bytes × 16 models × 4 classes: a mebibyte holds 163 examples; make them larger instead.
    sliced = Signals(np.repeat(logits[:, :, None], 2, axis=2), labels, member, role)
    uncertainty_bytes, uncertainty.BYTES = uncertainty.BYTES, 2**20 // (16 * 4 * 7)
    try:
        again, _ = uncertainty.measure(sliced, draws=32, memory_mb=1)
    finally:
        uncertainty.BYTES = uncertainty_bytes
    assert len(sliced.reads) > 8
    pd.testing.assert_frame_equal(table, again)
    assert table["example"].tolist() == list(range(60))
    assert (table["threshold"] == 0.2).all()
    assert reliability["count"].sum() == 16 * 60


def test_a_threshold_is_written_as_it_was_given():
    assert np.full(6, 0.2).mean() != 0.2
    table, _ = uncertainty.measure(Signals(*cohort(6, 10)), draws=32)
    assert (table["threshold"] == 0.2).all()


def test_a_coverage_chooses_the_threshold_on_held_out_examples():
    logits, labels, member = cohort(6, 20, seed=7, held_out=50)
    role = np.where(np.arange(70) < 20, 0, 1)
    table, _ = uncertainty.measure(Signals(logits, labels, member, role), coverage=0.8, draws=32)
    p = np.exp(logits[:, 20:][:, np.arange(50), labels[20:]])
    expected = np.mean([np.sort(one)[int(51 * 0.2 + 1e-9) - 1] for one in p])
    assert table["threshold"].iloc[0] == pytest.approx(expected, rel=1e-6)
    own = dirichlet.log_confidences(logits[0, 20:])
    assert (p[0] >= conformal.threshold(own, labels[20:], 0.8)).mean() >= 0.8
    with pytest.raises(ValueError, match=r"cohort\.h5.*held-out"):
        uncertainty.measure(Signals(logits, labels, member), coverage=0.8)


def test_sets_are_judged_by_each_models_own_threshold():
    """Logits that are those of other models at other thresholds: the same sets, the same calls."""
    logits, _, member = cohort(12, 40, seed=7)
    log_p = dirichlet.log_confidences(logits)
    masks = (log_p[..., :2], member, ~member)
    own = np.linspace(0.05, 0.5, 12)[:, None]
    found = advantage.by_cross_validation(log_p, *masks, own, 4)["ds"]["achieved"]
    shifted = log_p - np.log(own)[..., None] + np.log(0.25)
    same = advantage.by_cross_validation(shifted, *masks, 0.25, 4)["ds"]["achieved"]
    assert np.array_equal(found, same)
    common = advantage.by_cross_validation(log_p, *masks, own.mean(), 4)["ds"]["achieved"]
    assert (found != common).mean() > 0.2


def test_the_script_says_how_many_fits_did_not_converge(monkeypatch, capsys, tmp_path):
    table = table_of(*cohort(8, 20)).assign(threshold=0.25)
    table.loc[:2, "converged"] = False
    monkeypatch.setattr(compute_bounds, "Signals", lambda paths: paths)
    monkeypatch.setattr(compute_bounds, "measure", lambda *_, **__: (table, table[:0]))
    paths = {name: str(tmp_path / f"{name}.csv") for name in ("bounds", "reliability")}
    settings = {"cohort": "mine", "bounds": {}, "seed": 0}
    compute_bounds.main(signals=[], **paths, settings=settings)
    assert "3 of them (15.00%) with a fit that did not converge" in capsys.readouterr().out


def test_no_pool_example_gives_an_empty_table_with_its_columns():
    logits, labels, member = cohort(6, 5)
    table = table_of(logits, labels, np.zeros_like(member))
    assert len(table) == 0
    assert {"cv_bound", "ds_achieved", "tlc_floor"} <= set(table.columns)


def slow_error(confidence, correct, bins=15):
    error = 0.0
    for b in range(bins):
        own = (confidence >= b / bins) & ((confidence < (b + 1) / bins) | (b == bins - 1))
        if own.any():
            error += own.mean() * abs(confidence[own].mean() - correct[own].mean())
    return error


def test_calibration_errors_are_the_definition():
    logits, labels, member = cohort(5, 200, seed=8)
    evaluated = np.random.default_rng(1).random(member.shape) < 0.9
    reliability = Reliability(5)
    for part in np.array_split(np.arange(200), 3):
        masks = (member[:, part], evaluated[:, part])
        reliability.add(logits[:, part], *masks, labels[part])
    p = np.exp(dirichlet.log_confidences(logits))
    confidence, correct = p.max(axis=-1), p.argmax(axis=-1) == labels
    for kind, mask in (("in", member & evaluated), ("out", ~member & evaluated)):
        each = [slow_error(confidence[m][mask[m]], correct[m][mask[m]]) for m in range(5)]
        assert reliability.error(kind) == pytest.approx(np.mean(each))
        rows = reliability.table().query("kind == @kind")
        assert rows["count"].sum() == mask.sum()
        own = mask & (confidence >= 8 / 15) & (confidence < 9 / 15)
        assert rows["accuracy"].iloc[8] == pytest.approx(correct[own].mean())
        assert rows["confidence"].iloc[8] == pytest.approx(confidence[own].mean())


def test_calibrated_and_overconfident_models_are_told_apart():
    draws = np.random.default_rng(9)
    p = draws.dirichlet(np.ones(3), (1, 20_000))
    labels = (p[0].cumsum(axis=1) > draws.random((20_000, 1))).argmax(axis=1)
    errors = []
    for power in (1.0, 3.0):
        reliability = Reliability(1)
        everything = np.ones((1, 20_000), bool)
        reliability.add(power * np.log(p), everything, everything, labels)
        errors.append(reliability.error("in"))
        assert np.isnan(reliability.error("out"))
    assert errors[0] < 0.02
    assert errors[1] > 0.1


def test_phi_and_logits_tell_the_same_beta():
    logits, labels, _ = cohort(3, 10)
    pair = dirichlet.of_confidence(logit_scaled_confidence(logits, labels))
    p = np.exp(logits)[:, np.arange(10), labels]
    assert np.exp(pair[..., 0]) == pytest.approx(p)
    assert np.exp(pair).sum(axis=-1) == pytest.approx(np.ones((3, 10)))
