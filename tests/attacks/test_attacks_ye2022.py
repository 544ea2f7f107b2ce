"""Attacks S, P, R, D and L: every smoothing against its threshold solved for, the rates kept."""

from types import SimpleNamespace

import numpy as np
import pytest
from fits import fitted, scored
from scipy.optimize import brentq
from scipy.stats import binom, norm

from miatlas.attacks import attack_d, attack_l, attack_p, attack_r, attack_s, loss
from miatlas.attacks.shared import loss_ranks as ye2022

SMOOTHINGS = ("empirical", "linear", "logit_gaussian", "min_linear_logit", "mean_linear_logit")


def threshold(smoothing, refs, alpha):
    """c(alpha) by its definition: numpy's and scipy's quantiles of one example's references."""
    c_linear = np.quantile([0.0, *refs, 1000.0], alpha)
    p = np.exp(-np.asarray(refs))
    mu, s = norm.fit(np.log(p / (1 - p)))
    c_logit = np.log1p(np.exp(-norm.ppf(1 - alpha, mu, s)))
    return {
        "linear": c_linear, "logit_gaussian": c_logit, "min_linear_logit": min(c_linear, c_logit),
        "mean_linear_logit": (c_linear + c_logit) / 2,
    }[smoothing]  # fmt: skip


@pytest.mark.parametrize("smoothing", SMOOTHINGS[1:])
def test_alpha_is_where_the_threshold_reaches_the_loss(smoothing):
    generator = np.random.default_rng(0)
    refs, x = np.sort(generator.exponential(size=(9, 30)), axis=0), generator.exponential(size=30)
    found = ye2022.alpha(smoothing, x, refs)
    for i in range(30):
        solved = brentq(
            lambda alpha, i=i: threshold(smoothing, refs[:, i], alpha) - x[i],
            1e-15, 1 - 1e-15, xtol=1e-14,
        )  # fmt: skip
        assert found[i] == pytest.approx(solved, rel=1e-6, abs=1e-10)


def test_empirical_alpha_counts_ties_in():
    shared = ye2022.Shared(-np.log(np.expm1([0.9, 0.2, 0.1, 0.2])))
    refs = shared.pick(np.arange(4))[:, None]
    x = np.array([0.05, refs[0, 0], 0.15, refs[1, 0], 0.3, refs[3, 0], 2.0])
    for given in (shared, refs, np.repeat(refs, 7, axis=1)):
        assert ye2022.alpha("empirical", x, given).tolist() == [0, 0.25, 0.25, 0.75, 0.75, 1, 1]


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("k", [1, 2, 3, 9, 16])
def test_alpha_rises_with_the_loss_from_0_to_1_and_shared_references_are_repeated_ones(
    smoothing, k
):
    x = ye2022.observed(np.array([-1e4, *np.linspace(-800, 800, 400), 1e4]))[::-1]
    phi = np.random.default_rng(1).normal(size=k) * 2
    phi[: k // 3] = phi[-1]
    refs = ye2022.Shared(phi)
    found = ye2022.alpha(smoothing, x, refs)
    assert found.min() >= 0
    assert found.max() <= 1
    assert found[-1] == pytest.approx(1) or smoothing == "mean_linear_logit"
    assert (np.diff(found[np.argsort(x)]) >= -1e-15).all()
    own = np.sort(ye2022.observed(phi))[:, None]
    repeated = ye2022.alpha(smoothing, x, np.repeat(own, len(x), axis=1))
    assert repeated == pytest.approx(found, rel=1e-12, abs=1e-15)


def alphas_of_out_draws(smoothing, k, n):
    """Attack R's alphas of n examples that are in nobody's training set; hardness differs."""
    generator = np.random.default_rng(2)
    phi = generator.normal(size=n) * 3 + generator.normal(size=(k + 1, n))
    found = attack_r.score(
        phi[0][:, None], phi[1:, :, None], np.ones((k, n), bool), smoothing=smoothing
    )
    return -found


def test_rs_false_positive_rate_at_alpha_is_alpha_on_out_draws():
    """Interpolated, P(alpha_x ≤ j / (k + 1)) is j / (k + 1) exactly, by symmetry; counted, one
    more of k + 1; both within the binomial law's central 1 - 1e-6."""
    n, k = 20_000, 19
    interpolated = alphas_of_out_draws("linear", k, n)
    counted = alphas_of_out_draws("empirical", k, n)
    for j in (1, 2, 5, 10, 19):
        low, high = binom.interval(1 - 1e-6, n, j / (k + 1))
        assert low <= (interpolated <= j / (k + 1)).sum() <= high
        assert low <= (counted <= (j - 1) / k).sum() <= high


def test_a_gaussian_keeps_the_rate_where_the_losses_are_what_it_assumes():
    n = 20_000
    found = alphas_of_out_draws("logit_gaussian", 200, n)
    for level in (0.01, 0.1, 0.5):
        assert (found <= level).mean() == pytest.approx(level, rel=0.15)


@pytest.mark.parametrize("smoothing", ["linear", "empirical"])
def test_ss_false_positive_rate_at_alpha_is_alpha_in_every_label(smoothing):
    """Out draws of three labels, each as hard as it is: a non-member's loss is one more of k among
    the OUT losses of its label (Eq. 16): a rate is kept that a common threshold does not keep."""
    generator, k, levels = np.random.default_rng(10), 3, np.array([0.05, 0.1, 0.5])
    labels = np.repeat([0, 1, 2], 10_000)
    phi = 2.0 * labels + (1 + labels) * generator.normal(size=(k + 1, len(labels)))
    piece = SimpleNamespace(
        refs_phi=phi[1:, :, None], refs_out=np.ones((k, len(labels)), bool), labels=labels
    )
    fitted = attack_s.fit([piece], smoothing=smoothing)
    target = phi[0][:, None]
    found = -attack_s.score(target, labels, fitted, smoothing=smoothing)
    common = -attack_p.score(target, phi[1:].reshape(-1, 1), smoothing=smoothing)
    for label in range(3):
        own = labels == label
        for level in levels:  # the threshold's own error is that of 30 000 draws
            deviation = np.sqrt(level * (1 - level) * (1 / own.sum() + 1 / (k * own.sum())))
            assert abs((found[own] <= level).mean() - level) < 4.9 * deviation + 1 / own.sum()
    assert (common[labels == 0] <= 0.05).mean() < 0.02


def test_ps_false_positive_rate_at_alpha_is_alpha_on_held_out_non_members():
    """One held-out example more among k others: its rank is uniform; many targets, many draws."""
    generator, k = np.random.default_rng(3), 19
    hits = np.zeros(3)
    for target in range(2000):
        draws = 2 * generator.normal(size=(k + 1, 1)) + 0.01 * target
        found = -attack_p.score(draws[:1], draws[1:])
        hits += found <= np.array([1, 2, 10]) / (k + 1)
    for count, level in zip(hits, (0.05, 0.1, 0.5), strict=True):
        low, high = binom.interval(1 - 1e-6, 2000, level)
        assert low <= count <= high


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_p_is_the_alpha_among_the_held_out_losses_and_orders_as_the_loss(smoothing):
    generator = np.random.default_rng(4)
    target, held_out = generator.normal(size=(50, 2)), generator.normal(size=(31, 2))
    found = attack_p.score(target, held_out, smoothing=smoothing)
    losses = np.log1p(np.exp(-held_out[:, 0]))
    for i in range(50):
        own = np.log1p(np.exp(-target[i, 0]))
        expected = ye2022.alpha(smoothing, np.array([own]), np.sort(losses)[:, None])[0]
        assert found[i] == pytest.approx(-expected, rel=1e-9)
        if smoothing == "empirical":
            assert found[i] == -np.mean(losses <= own)
    order = np.argsort(loss.score(target))
    assert (np.diff(found[order]) >= -1e-15).all()


def test_p_takes_the_first_held_out_examples_of_every_class(capsys):
    generator = np.random.default_rng(8)
    target, held_out = generator.normal(size=(40, 1)), generator.normal(size=(60, 1))
    labels = generator.permutation(np.repeat([0, 3, 5], [10, 20, 30]))
    kept, seen = [], {0: 0, 3: 0, 5: 0}
    for i, label in enumerate(labels):
        seen[label] += 1
        if seen[label] <= 7:
            kept.append(i)
    assert len(kept) == 21
    found = attack_p.score(target, held_out, labels, per_class=7)
    assert (found == attack_p.score(target, held_out[kept])).all()
    assert (found != attack_p.score(target, held_out)).any()
    capsys.readouterr()
    more = attack_p.score(target, held_out, labels, per_class=11)
    said = capsys.readouterr().out
    assert "per_class: 11, but" in said
    assert "(class 0: 10)" in said
    kept = np.concatenate([np.flatnonzero(labels == y)[:11] for y in np.unique(labels)])
    np.testing.assert_array_equal(more, attack_p.score(target, held_out[kept]))
    read = [attack_p.ATTACK.read({"statistic": "loss", "per_class": k}) for k in (7, None)]
    assert read[0] - read[1] == {"held_out_labels"}


def test_r_counts_the_references_that_are_asked_for():
    generator = np.random.default_rng(5)
    ranks = np.argsort(generator.random((12, 40)), axis=0)
    refs_in, refs_out = ranks < 5, ranks > 6
    target, refs = generator.normal(size=(40, 2)), generator.normal(size=(12, 40, 2))
    p, p_refs = (1 / (1 + np.exp(-phi[..., 0])) for phi in (target, refs))
    outs = attack_r.score(target, refs, refs_out, smoothing="empirical")
    every = attack_r.score(
        target, refs, refs_out, refs_in, smoothing="empirical", refs="all",
        statistic="exp_minus_confidence",
    )  # fmt: skip
    for i in range(40):
        assert outs[i] == -np.mean(p_refs[refs_out[:, i], i] >= p[i])
        used = refs_out[:, i] | refs_in[:, i]
        assert every[i] == -np.mean(p_refs[used, i] >= p[i])
    asked = [attack_r.ATTACK.read({"statistic": "loss", "refs": refs}) for refs in ("out", "all")]
    assert asked[1] - asked[0] == {"refs_in"}


def test_the_public_statistic_is_smoothed_between_the_same_anchors():
    refs, x = np.array([-1.0, 0.0, 2.0]), 1.0
    found = -attack_r.score(
        np.array([[x]]), refs[:, None, None], np.ones((3, 1), bool),
        statistic="exp_minus_confidence",
    )  # fmt: skip
    statistic = np.sort(np.exp(-1 / (1 + np.exp(-refs))))
    own = np.exp(-1 / (1 + np.exp(-x)))
    assert threshold("linear", statistic, found[0]) == pytest.approx(own, rel=1e-12)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_s_is_the_alpha_among_all_out_losses_of_the_label(smoothing):
    generator = np.random.default_rng(6)
    refs_out = np.argsort(generator.random((10, 50)), axis=0) < 4
    a = {
        "target_phi": generator.normal(size=(50, 2)), "refs_out": refs_out,
        "refs_phi": generator.normal(size=(10, 50, 2)),
        "labels": generator.choice([1, 4, 5], size=50),
    }  # fmt: skip
    cuts = [
        {n: v[:, i] if n.startswith("refs") else v[i] for n, v in a.items()}
        for i in np.array_split(np.arange(50), 4)
    ]
    chosen = {"smoothing": smoothing, "statistic": "loss"}
    fit = fitted(attack_s, cuts, chosen)
    found = np.concatenate([scored(attack_s, cut, fit, chosen) for cut in cuts])
    own = np.log1p(np.exp(-a["target_phi"][:, 0]))
    for label in (1, 4, 5):
        pool = []
        for i in np.flatnonzero(a["labels"] == label):
            pool += [np.log1p(np.exp(-v)) for v in a["refs_phi"][refs_out[:, i], i, 0]]
        same = a["labels"] == label
        assert len(pool) == 4 * same.sum()
        expected = ye2022.alpha(smoothing, own[same], np.sort(pool)[:, None])
        assert found[same] == pytest.approx(-expected, rel=1e-9, abs=1e-15)
        if smoothing == "empirical":
            assert found[same] == pytest.approx([-np.mean(pool <= x) for x in own[same]])


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_references_that_agree_to_the_last_bit_and_extreme_answers_give_numbers(smoothing):
    target = np.array([[-1e4], [0.0], [5.0], [900.0], [1e4]])
    for value in (-1e4, 5.0, 900.0):
        refs = np.full((4, 5, 1), value)
        found = attack_r.score(target, refs, np.ones((4, 5), bool), smoothing=smoothing)
        assert np.isfinite(found).all()
        assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_d_and_l_are_the_alpha_among_models_made_for_the_target(smoothing):
    generator = np.random.default_rng(7)
    drawn = np.argsort(generator.random((9, 40)), axis=0) < 3  # students that drew the example
    target, refs = generator.normal(size=(40, 2)), generator.normal(size=(9, 40, 2))
    outs = attack_d.score(target, refs, ~drawn, smoothing=smoothing)
    every = attack_d.score(target, refs, ~drawn, drawn, smoothing=smoothing, refs="all")
    retrained = attack_l.score(target, refs, ~drawn, smoothing=smoothing)
    for i in range(40):
        own = np.log1p(np.exp(-target[i, :1]))
        losses = np.log1p(np.exp(-refs[:, i, 0]))
        for found, used in ((outs, ~drawn[:, i]), (retrained, ~drawn[:, i]), (every, losses > 0)):
            expected = ye2022.alpha(smoothing, own, np.sort(losses[used])[:, None])[0]
            assert found[i] == pytest.approx(-expected, rel=1e-9, abs=1e-12)
    asked = [attack_d.ATTACK.read({"refs": refs}) for refs in ("all", "out")]
    assert asked[0] - asked[1] == {"refs_in"}


@pytest.mark.parametrize("made_for_target", [attack_d, attack_l])
def test_d_and_l_keep_the_rate_for_each_target_and_r_only_on_average(made_for_target):
    """ye2022 Eq. 35: given the target's data. Targets differ in how well they do on everything;
    models made for a target share that, other references have their own."""
    generator, n, k, alpha = np.random.default_rng(8), 2000, 19, 0.1
    out, realised = np.ones((k, n), bool), {"own": [], "others": []}
    for _ in range(20):
        hard, level = 3 * generator.normal(size=n), 2 * generator.normal()
        target = hard + level + generator.normal(size=n)
        for whose, levels in (("own", level), ("others", 2 * generator.normal(size=(k, 1)))):
            refs = hard + levels + generator.normal(size=(k, n))
            attack = made_for_target if whose == "own" else attack_r
            found = attack.score(target[:, None], refs[..., None], out)
            realised[whose].append((found >= -alpha).sum())
    low, high = binom.interval(1 - 1e-6, n, alpha)
    assert all(low <= count <= high for count in realised["own"])
    assert np.std(realised["others"]) > 3 * np.sqrt(n * alpha * (1 - alpha))
    assert np.mean(realised["others"]) / n == pytest.approx(alpha, abs=0.1)


def test_s_keeps_four_bytes_of_each_out_answer_and_ranks_exactly():
    generator, n, k = np.random.default_rng(9), 300, 4
    phi = generator.normal(size=(k + 1, n, 1)).astype(np.float32)
    phi[0, :50] = phi[1, :50]  # a tie with one of the references
    piece = SimpleNamespace(
        refs_phi=phi[1:], refs_out=np.ones((k, n), bool), labels=np.arange(n) % 3
    )
    fitted = attack_s.fit([piece], smoothing="empirical")
    assert sum(kept.phi.nbytes for kept in fitted.values()) == 4 * k * n
    found = attack_s.score(phi[0], piece.labels, fitted, smoothing="empirical")
    for i in range(n):
        assert found[i] == -np.mean(phi[1:, i % 3 :: 3, 0] >= phi[0, i, 0])
