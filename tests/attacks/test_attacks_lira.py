"""LiRA against closed forms, slow loops and simulated Gaussians whose optimum is known."""

import numpy as np
import pytest
from fits import fitted, scored
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import norm

from miatlas.attacks import lira_offline, lira_online
from miatlas.leakage.hindsight import tpr_at_fpr
from miatlas.leakage.intervals import clopper_pearson
from miatlas.leakage.roc import auc, roc

DEFAULTS = {
    "queries": None, "variance": "per_example", "location": "mean", "statistic": "logit",
    "preset": None,
}  # fmt: skip
ONLINE = ("target_phi", "refs_phi", "refs_in", "refs_out")


def run(attack, arrays, pieces=1, **options):
    """Fit on slices of the examples, score slice by slice."""
    options = DEFAULTS | options
    examples = np.array_split(np.arange(arrays["target_phi"].shape[0]), pieces)
    cut = [
        {n: v[:, i] if n.startswith("refs") else v[i] for n, v in arrays.items()} for i in examples
    ]
    fit = fitted(attack, cut, options)
    return np.concatenate([scored(attack, piece, fit, options) for piece in cut])


def gaussians(n, k, queries, distance, seed=0):
    """k IN and k OUT references of n examples, and one target; phi = location + scale * normal."""
    generator = np.random.default_rng(seed)
    location = generator.normal(size=(n, 1)) * 5
    scale = generator.uniform(0.5, 2.0, size=(n, 1))
    refs_in = np.tile(np.arange(2 * k)[:, None] < k, (1, n))
    member = generator.random(n) < 0.5
    noise = generator.normal(size=(2 * k + 1, n, queries))
    shift = np.concatenate([refs_in, member[None]])[..., None] * np.reshape(distance, (-1, 1))
    phi = location + scale * (noise + shift)
    return member, dict(
        zip(ONLINE, (phi[-1], phi[:-1].astype(np.float32), refs_in, ~refs_in), strict=True)
    )


def unbalanced(seed=0, models=24, n=60, queries=3):
    generator = np.random.default_rng(seed)
    refs_in = generator.random((models, n)) < generator.uniform(0.3, 0.7, n)
    phi = generator.normal(size=(models, n, queries)) * 2 + 3 * generator.normal(size=(n, 1))
    target = generator.normal(size=(n, queries)) * 3
    return dict(zip(ONLINE, (target, phi, refs_in, ~refs_in), strict=True))


def balanced(seed=0, k=6, n=50, queries=2):
    generator = np.random.default_rng(seed)
    ranks = np.argsort(np.argsort(generator.random((16, n)), axis=0), axis=0)
    arrays = unbalanced(seed, 16, n, queries)
    return arrays | {"refs_in": ranks < k, "refs_out": ranks >= 16 - k - 1}


@pytest.mark.parametrize("variance", ["per_example", "global"])
def test_online_is_the_likelihood_ratio_written_out(variance):
    a = balanced()
    found = run(lira_online, a, pieces=3, variance=variance)
    sides = []
    for mask in (a["refs_in"], a["refs_out"]):
        values = [[a["refs_phi"][mask[:, i], i, q] for q in range(2)] for i in range(50)]
        freedom = sum(len(values[i][0]) - 1 for i in range(50))
        pooled = [
            np.sqrt(
                sum(((values[i][q] - values[i][q].mean()) ** 2).sum() for i in range(50)) / freedom
            )
            for q in range(2)
        ]
        sides.append((values, pooled))
    for i in range(50):
        expected = 0.0
        for q in range(2):
            logs = [
                norm.logpdf(
                    a["target_phi"][i, q],
                    values[i][q].mean(),
                    pooled[q] if variance == "global" else values[i][q].std(ddof=1),
                )
                for values, pooled in sides
            ]
            expected += logs[0] - logs[1]
        assert found[i] == pytest.approx(expected, rel=1e-9)


def test_offline_is_the_one_sided_test_of_hand_made_references():
    mu, a = np.array([0.0, 3.0, -2.0, 5.0]), np.array([1.0, 0.5, 2.0, 1.0])
    refs = np.stack([mu - a, mu + a])[..., None]  # mean mu, unbiased deviation a √2
    target = np.array([0.7, 3.0, -9.0, 25.0])[:, None]
    found = run(
        lira_offline,
        {"target_phi": target, "refs_phi": refs, "refs_out": np.ones((2, 4), bool)},
    )
    expected = norm.logcdf(target[:, 0], mu, a * np.sqrt(2))
    assert found == pytest.approx(expected, rel=1e-12)
    assert found[1] == pytest.approx(np.log(0.5))


def test_offline_keeps_the_order_of_scores_far_in_the_tails():
    refs = np.array([-1.0, 1.0])[:, None, None] * np.ones((2, 6, 1))
    target = np.array([-1e4, -300.0, -40.0, 12.0, 20.0, 40.0])[:, None]
    found = run(
        lira_offline,
        {"target_phi": target, "refs_phi": refs, "refs_out": np.ones((2, 6), bool)},
    )
    assert (np.diff(found) > 0).all()
    assert np.isfinite(found).all()


def touches(curve, level, true_tpr):
    """Whether the box of the 95 % intervals of (FPR, TPR) at one threshold meets the true curve."""
    point = tpr_at_fpr(curve, level)
    low, high = clopper_pearson(point["false_positives"], curve.nonmembers)
    return true_tpr(low) <= point["high"] and point["low"] <= true_tpr(high)


@pytest.mark.parametrize(
    ("attack", "queries"), [(lira_online, 1), (lira_online, 2), (lira_offline, 1)]
)
def test_equal_distances_reach_the_optimal_curve(attack, queries):
    """At distance d with Q independent queries TPR = Φ(d √Q + Φ⁻¹(FPR)), AUC = Φ(d √(Q/2))."""
    member, arrays = gaussians(n=12_000, k=200, queries=queries, distance=1.2, seed=1)
    curve = roc(run(attack, arrays, pieces=4), member)
    d = 1.2 * np.sqrt(queries)
    area = auc(curve)
    assert area["low"] <= ndtr(d / np.sqrt(2)) <= area["high"]
    for level in (0.003, 0.01, 0.1, 0.5):
        assert touches(curve, level, lambda fpr: ndtr(d + norm.ppf(fpr)))


def test_unequal_distances_reach_the_optimal_curve():
    """log Λ is N(±d²/2, d²) for each example: the curve is the mixture's over examples."""
    d = np.random.default_rng(1).uniform(0.2, 3.0, size=12_000)
    member, arrays = gaussians(n=12_000, k=200, queries=1, distance=d, seed=1)
    curve = roc(run(lira_online, arrays, pieces=4), member)

    def rate(threshold, sign):
        return ndtr((sign * d**2 / 2 - threshold) / d).mean()

    def true_tpr(fpr):
        return rate(brentq(lambda threshold: rate(threshold, -1) - fpr, -30, 30), 1)

    for level in (0.003, 0.01, 0.1, 0.5):
        assert touches(curve, level, true_tpr)
    offline = roc(run(lira_offline, arrays), member)  # it cannot know the distances
    assert auc(offline)["value"] < auc(curve)["value"]


def test_global_variance_helps_where_references_are_few():
    member, arrays = gaussians(n=4000, k=2, queries=1, distance=2.0)
    arrays["target_phi"], arrays["refs_phi"] = (arrays[n] * 1.0 for n in ONLINE[:2])
    few = {
        v: auc(roc(run(lira_online, arrays, variance=v), member)) for v in ("per_example", "global")
    }
    assert few["global"]["low"] > few["per_example"]["high"]


def published(arrays, online, fixed):
    """The public script of 2021, from its description: lists, cut, median, scipy's normal."""
    n = len(arrays["target_phi"])
    kept = {}
    for kind in ("in", "out"):
        mask = arrays[f"refs_{kind}"]
        lists = [arrays["refs_phi"][mask[:, i], i].astype(float) for i in range(n)]
        shortest = min(len(values) for values in lists)
        kept[kind] = np.array([values[:shortest] for values in lists])  # N, k, Q
    mu = {kind: np.median(values, axis=1) for kind, values in kept.items()}
    s = {kind: values.std() if fixed else values.std(axis=1) for kind, values in kept.items()}
    if online and fixed:
        s["out"] = s["in"]
    log = {k: norm.logpdf(arrays["target_phi"], mu[k], s[k] + 1e-30) for k in ("in", "out")}
    return (log["in"] - log["out"]).mean(axis=1) if online else -log["out"].mean(axis=1)


@pytest.mark.parametrize("pieces", [1, 4])
@pytest.mark.parametrize("variance", ["per_example", "global"])
@pytest.mark.parametrize("attack", [lira_online, lira_offline])
def test_preset_gives_the_published_scores(attack, variance, pieces):
    arrays = unbalanced()
    assert len(set(arrays["refs_in"].sum(axis=0))) > 3
    expected = published(arrays, attack is lira_online, variance == "global")
    found = run(attack, arrays, pieces, variance=variance, preset="tf_privacy_2021")
    assert np.abs(found - expected).max() < 1e-9 * np.abs(expected).max()
    assert found == pytest.approx(expected, rel=1e-9)


def test_sigma_cancels_from_the_ranking_of_the_published_fixed_variant():
    arrays = unbalanced()
    found = run(lira_online, arrays, variance="global", preset="tf_privacy_2021")
    cut = {k: arrays[f"refs_{k}"].sum(axis=0).min() for k in ("in", "out")}
    medians = {
        k: np.array(
            [
                np.median(arrays["refs_phi"][arrays[f"refs_{k}"][:, i], i][: cut[k]], axis=0)
                for i in range(60)
            ]
        )
        for k in cut
    }
    squares = {k: (arrays["target_phi"] - medians[k]) ** 2 for k in cut}
    assert np.array_equal(
        np.argsort(found), np.argsort((squares["out"] - squares["in"]).mean(axis=1))
    )


def test_median_resists_one_broken_reference():
    arrays = balanced(k=7)
    broken = arrays["refs_phi"].copy()
    worst = arrays["refs_in"].argmax(axis=0)
    broken[worst, np.arange(50)] += 1e4
    options = {"location": "median", "variance": "global"}
    fit = fitted(lira_online, [arrays], DEFAULTS | options)
    clean, hit = (
        lira_online.score(**arrays | {"refs_phi": phi}, **fit, **options)
        for phi in (arrays["refs_phi"], broken)
    )
    assert np.abs(hit - clean).max() < 50
    options["location"] = "mean"
    hit = lira_online.score(**arrays | {"refs_phi": broken}, **fit, **options)
    assert np.abs(hit - clean).max() > 1e4


@pytest.mark.parametrize("attack", [lira_online, lira_offline])
def test_queries_takes_the_first_ones(attack):
    arrays = balanced(queries=3)
    short = arrays | {n: arrays[n][..., :2] for n in ONLINE[:2]}
    assert np.array_equal(run(attack, arrays, queries=2), run(attack, short))
    with pytest.raises(ValueError, match=r"queries is 4.* hold 3"):
        run(attack, arrays, queries=4)


def test_statistics_are_those_of_the_formula():
    arrays = balanced()
    p = {n: 1 / (1 + np.exp(-arrays[n])) for n in ONLINE[:2]}
    as_logit = {
        n: arrays | {m: f(p[m]) for m in p}
        for n, f in (("confidence", lambda v: v), ("loss", np.log))
    }
    for attack in (lira_online, lira_offline):
        for statistic, transformed in as_logit.items():
            expected = run(attack, transformed)
            assert run(attack, arrays, statistic=statistic) == pytest.approx(expected, rel=1e-6)
        unstable = run(attack, arrays, statistic="logit_unstable")
        assert unstable == pytest.approx(run(attack, arrays), rel=1e-3, abs=1e-4)


def test_hinge_reads_logits_and_nothing_else():
    generator = np.random.default_rng(4)
    logits, labels = generator.normal(size=(17, 50, 2, 5)), generator.integers(5, size=50)
    margin = np.array(
        [
            [
                [z[i, q, labels[i]] - np.delete(z[i, q], labels[i]).max() for q in range(2)]
                for i in range(50)
            ]
            for z in logits
        ]
    )
    masks = {n: balanced()[n] for n in ("refs_in", "refs_out")}
    for attack in (lira_online, lira_offline):
        names = attack.ATTACK.read(DEFAULTS | {"statistic": "hinge"})
        assert not any("phi" in name for name in names)
        for first, given in ((2, logits), (1, logits[:, :, 0])):
            phi = {"target_phi": margin[-1, :, :first], "refs_phi": margin[:-1, :, :first]}
            arrays = masks | {
                "target_logits": given[-1],
                "refs_logits": given[:-1],
                "labels": labels,
            }
            options = DEFAULTS | {"statistic": "hinge", "variance": "global"}
            found = scored(attack, arrays, fitted(attack, [arrays], options), options)
            assert found == pytest.approx(run(attack, masks | phi, variance="global"))
        with pytest.raises(ValueError, match=r"queries is 2.* hold 1"):
            scored(attack, arrays, {}, options | {"variance": "per_example", "queries": 2})


def test_columns_that_do_not_vary_say_nothing_and_no_score_is_nan():
    arrays = balanced()
    arrays["refs_phi"][:, :10] = arrays["target_phi"][:10] = 40.0
    arrays["refs_phi"][:, 10:20] = 40.0
    for options in (
        {},
        {"statistic": "confidence"},
        {"variance": "global"},
        {"preset": "tf_privacy_2021"},
    ):
        for attack in (lira_online, lira_offline):
            found = run(attack, arrays, **options)
            assert np.isfinite(found).all()
            assert len(set(found[:10])) == 1
        if "variance" not in options:  # of equal laws; a global s_in and s_out differ
            assert (run(lira_online, arrays, **options)[:10] == 0).all()


def test_counts_that_differ_between_examples_are_refused():
    with pytest.raises(ValueError, match=r"from . to .. references; balance them first"):
        run(lira_online, unbalanced())
    with pytest.raises(ValueError, match="balance them first"):
        run(lira_offline, unbalanced(), variance="global")


def test_one_reference_of_a_kind_gives_no_variance():
    _, arrays = gaussians(n=20, k=1, queries=1, distance=1)
    with pytest.raises(ValueError, match="needs 2 references of a kind, there is 1"):
        run(lira_online, arrays)
    with pytest.raises(ValueError, match="at least 2 references of a kind"):
        run(lira_online, arrays, variance="global")


def test_pooling_cannot_be_forgotten():
    with pytest.raises(ValueError, match="what fit returns"):
        lira_online.score(**balanced(), variance="global")


@pytest.mark.parametrize("attack", [lira_online, lira_offline])
def test_fit_reads_nothing_where_nothing_is_pooled(attack):
    said = attack.ATTACK
    assert not said.is_fitted(DEFAULTS)
    assert said.read_by_fit(DEFAULTS) == set()
    for pooled in ({"variance": "global"}, {"preset": "tf_privacy_2021"}):
        assert said.is_fitted(DEFAULTS | pooled)
        assert said.read_by_fit(DEFAULTS | pooled) == said.read(DEFAULTS) - {"target_phi"}
