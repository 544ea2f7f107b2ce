"""LiRA under the three disclosures: by hand, against known laws, and near the optimum."""

import numpy as np
import pytest
from scipy import special, stats

from miatlas.attacks import lira_cv, lira_ds, lira_tlc
from miatlas.bounds import dirichlet, dirichlet_ratio, disclosures, factors, set_frequencies
from miatlas.bounds.decision_sets import log_draws


def game(n, shadows, classes=4, seed=0, factor_sets=((0.4, 0.4, 0.1), (0.6, 0.3, 0.3))):
    """Models drawn from known Dirichlets: logits of targets and references, masks, laws (n, C).

    Each example has `shadows` IN and as many OUT references and a target that is either.
    """
    draws = np.random.default_rng(seed)
    which = draws.integers(len(factor_sets), size=n)
    laws = [factors.laws(classes, *one) for one in factor_sets]
    alpha = np.array(laws)[which]  # (n, 2, C): IN, OUT
    member = draws.random(n) < 0.5
    target = np.concatenate(
        [log_draws(alpha[i, 1 - int(m)], 1, draws) for i, m in enumerate(member)]
    )
    refs = np.stack(
        [np.concatenate([log_draws(a[k], shadows, draws) for k in (0, 1)]) for a in alpha], axis=1
    )  # (2 shadows, n, C)
    refs_in = np.arange(2 * shadows)[:, None] < np.full(n, shadows)
    return target, refs, refs_in, ~refs_in, member, alpha


def advantage(scores, member):
    """Of the test at log-ratio 0, which nothing is fitted for."""
    return (scores[member] > 0).mean() - (scores[~member] > 0).mean()


def phi_of(log_p):
    return (log_p[..., 0] - np.log(-np.expm1(log_p[..., 0])))[..., None]


def test_the_ratio_is_that_of_the_fitted_laws():
    target, refs, refs_in, refs_out, *_ = game(20, 8)
    scores = lira_cv.score(target, refs, refs_in, refs_out, prior=0.0)
    for i in range(20):
        logs = []
        for half in (refs[:8, i], refs[8:, i]):
            alpha = dirichlet.fit(dirichlet.summarise(half[:, None], np.ones((8, 1), bool))).alpha[
                0
            ]
            p = np.exp(target[i])
            logs.append(stats.dirichlet.logpdf(p / p.sum(), alpha))
        assert scores[i] == pytest.approx(logs[0] - logs[1], rel=1e-7, abs=1e-7)


def test_two_classes_make_cv_and_tlc_the_same_attack():
    target, refs, refs_in, refs_out, *_ = game(50, 6, classes=2, factor_sets=((0.3, 0.2, 0.1),))
    whole = lira_cv.score(target, refs, refs_in, refs_out)
    own = lira_tlc.score(phi_of(target), phi_of(refs), refs_in, refs_out)
    assert own == pytest.approx(whole, rel=1e-6, abs=1e-8)


def test_logits_with_queries_are_read_at_the_first():
    target, refs, refs_in, refs_out, *_ = game(10, 4)
    more = [np.stack([z, np.zeros_like(z)], axis=-2) for z in (target, refs)]
    for attack in (lira_cv, lira_ds):
        plain = attack.score(target, refs, refs_in, refs_out)
        assert np.array_equal(attack.score(*more, refs_in, refs_out), plain)


def test_one_reference_needs_a_prior():
    target, refs, refs_in, refs_out, *_ = game(10, 1)
    with pytest.raises(ValueError, match="2 references"):
        lira_cv.score(target, refs, refs_in, refs_out, prior=0.0)
    assert np.isfinite(lira_cv.score(target, refs, refs_in, refs_out, prior=1.0)).all()


def test_the_more_prior_the_nearer_to_one_law():
    _, refs, refs_in, refs_out, *_ = game(30, 4)
    inside, outside = (dirichlet.summarise(refs, mask) for mask in (refs_in, refs_out))
    gaps = [
        np.abs(np.log(np.divide(*dirichlet_ratio.laws(inside, outside, prior)))).mean()
        for prior in (0.0, 1.0, 10.0, 1e6)
    ]
    assert (np.diff(gaps) < 0).all()
    assert gaps[-1] < 1e-4


@pytest.fixture(scope="module")
def sweep():
    """Measured advantages by number of shadow models, under each disclosure, and the optima."""
    n, tau = 3000, 0.3
    found, optimum = {"cv": [], "tlc": [], "ds": []}, {}
    for shadows in (2, 8, 64):
        target, refs, refs_in, refs_out, member, alpha = game(n, shadows, seed=shadows)
        masks = (refs_in, refs_out)
        scores = {
            "cv": lira_cv.score(target, refs, *masks),
            "tlc": lira_tlc.score(phi_of(target), phi_of(refs), *masks),
            "ds": lira_ds.score(target, refs, *masks, level=tau),
        }
        for name, values in scores.items():
            found[name].append(advantage(values, member))
    kinds, labels = np.unique(alpha, axis=0), np.zeros(2, int)
    optimum = {
        "cv": disclosures.confidence_vector(kinds[:, 0], kinds[:, 1]),
        "tlc": disclosures.true_label_confidence(kinds[:, 0], kinds[:, 1], labels),
        "ds": disclosures.decision_set(
            kinds[:, 0], kinds[:, 1], tau, [np.random.default_rng(i) for i in (1, 2)], 50_000
        ),
    }
    return found, optimum


@pytest.mark.parametrize("name", ["cv", "tlc", "ds"])
def test_the_measured_advantage_nears_the_optimum_and_stays_below_the_bound(sweep, name):
    found, limit = sweep[0][name], sweep[1][name]
    noise = 3 / np.sqrt(3000)
    best = limit.advantage.mean()  # both kinds of example are equally frequent
    assert all(value <= limit.bound.mean() + noise for value in found)
    assert all(value <= best + noise for value in found)
    assert found[0] < found[-1]
    assert found[-1] > 0.85 * best - noise / 2


def test_disclosing_less_leaves_less(sweep):
    best = [limit.advantage.mean() for limit in sweep[1].values()]
    assert best[0] > best[1] > 0.05
    last = [values[-1] for values in sweep[0].values()]
    assert last[0] > last[1]
    assert last[0] > last[2]


def test_set_frequencies_by_hand():
    sets = np.array([[1, 0], [1, 0], [1, 1], [0, 1], [1, 0]], bool)[:, None]  # of five references
    observed = np.array([[1, 0]], bool)
    refs_in = np.array([[True], [True], [True], [False], [False]])
    found = set_frequencies.log_ratio(observed, sets, refs_in, ~refs_in, smoothing=3.0)
    assert found[0] == pytest.approx(np.log((2 / 3 + 3 / 2) / (1 / 2 + 3 / 2)))


def test_a_set_that_no_reference_answered_says_nothing():
    draws = np.random.default_rng(0)
    answers = draws.random((9, 40, 3)) < 0.5
    refs_in = np.arange(9)[:, None] < np.full(40, 5)
    observed = draws.random((40, 3)) < 0.5
    found = set_frequencies.log_ratio(observed, answers, refs_in, ~refs_in, 1.5)
    unseen = ~(answers == observed).all(axis=-1).any(axis=0)
    assert 0 < unseen.sum() < 40
    assert (found[unseen] == 0).all()
    swapped = set_frequencies.log_ratio(observed, answers, ~refs_in, refs_in, 1.5)
    assert swapped == pytest.approx(-found)
    calm = set_frequencies.log_ratio(observed, answers, refs_in, ~refs_in, 150.0)
    assert np.abs(calm).max() < 0.1 < np.abs(found).max()


def test_decided_is_the_threshold_on_the_softmax():
    logits = np.random.default_rng(1).normal(0, 2, (50, 6))
    p = special.softmax(logits, axis=-1)
    assert np.array_equal(set_frequencies.decided(np.log(p), 0.2), p >= 0.2)
    assert set_frequencies.decided(np.log(p), 0.0).all()


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.99])
def test_conformal_thresholds_cover(coverage):
    draws = np.random.default_rng(2)
    shares = []
    for _ in range(300):
        logits, labels = draws.normal(0, 2, (100, 5)), draws.integers(5, size=100)
        p = special.softmax(logits, axis=-1)[np.arange(100), labels]
        shares.append((p[60:] >= lira_ds.conformal(logits[:60], labels[:60], coverage)).mean())
    assert np.mean(shares) == pytest.approx(coverage, abs=0.02)
    assert np.mean(shares) >= coverage - 4 * np.std(shares) / np.sqrt(300)


def test_too_few_held_out_examples_cover_by_telling_everything():
    logits, labels = np.zeros((5, 3)), np.zeros(5, int)
    assert lira_ds.conformal(logits, labels, 0.99) == 0.0


def test_adaptive_thresholds_are_each_models_own():
    target, refs, refs_in, refs_out, *_ = game(40, 5)
    held_out = (
        np.random.default_rng(3).normal(0, 1, (11, 200, 4)) * np.linspace(1, 4, 11)[:, None, None]
    )
    labels = np.random.default_rng(4).integers(4, size=200)
    found = lira_ds.score(
        target, refs, refs_in, refs_out, held_out[10], held_out[:10], labels,
        threshold="adaptive", coverage=0.8,
    )  # fmt: skip
    taus = [lira_ds.conformal(one, labels, 0.8) for one in held_out]
    observed = np.exp(target) >= taus[10]
    answers = np.exp(refs) >= np.array(taus[:10])[:, None, None]
    assert found == pytest.approx(
        set_frequencies.log_ratio(observed, answers, refs_in, refs_out, 4.0)
    )
    fixed, adaptive = (lira_ds.ATTACK.read({"threshold": t}) for t in ("fixed", "adaptive"))
    assert fixed < adaptive
