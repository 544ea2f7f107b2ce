"""LiRA on several statistics: LiRA itself with one, SciPy's normal with more."""

import numpy as np
import pytest
from fits import run
from scipy.stats import multivariate_normal

from miatlas.attacks import lira_online, multi_lira
from miatlas.leakage.roc import auc, roc
from miatlas.signals.statistics import hinge, logit_scaled_confidence


def arrays(n=60, k=8, shift=1.0, seed=0):
    draws = np.random.default_rng(seed)
    ranks = np.argsort(np.argsort(draws.random((2 * k + 1, n)), axis=0), axis=0)
    labels, member = draws.integers(4, size=n), draws.random(n) < 0.5
    refs_in = ranks < k
    logits = draws.normal(size=(2 * k + 2, n, 4)) + 2 * draws.normal(size=(n, 4))
    logits += shift * np.vstack([refs_in, member])[..., None] * np.eye(4)[labels]
    phi = logit_scaled_confidence(logits, labels)[..., None]
    return {
        "target_logits": logits[-1], "refs_logits": logits[:-1], "labels": labels,
        "refs_in": refs_in, "refs_out": ranks > k, "target_phi": phi[-1], "refs_phi": phi[:-1],
    }, member  # fmt: skip


@pytest.mark.parametrize("variance", ["per_example", "global"])
@pytest.mark.parametrize("name", ["loss", "hinge", "logit"])
def test_with_one_statistic_it_is_lira(name, variance):
    a, _ = arrays()
    expected = run(lira_online, a, statistic=name, variance=variance)
    found = run(multi_lira, a, pieces=3, statistics=[name], variance=variance)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("variance", ["per_example", "global"])
def test_with_several_it_is_the_ratio_of_two_normals_of_so_many_dimensions(variance):
    a, _ = arrays()
    found = run(multi_lira, a, pieces=2, variance=variance)
    phi = logit_scaled_confidence(
        np.vstack([a["refs_logits"], a["target_logits"][None]]), a["labels"]
    )
    margin = hinge(np.vstack([a["refs_logits"], a["target_logits"][None]]), a["labels"])
    every = np.stack([-np.log1p(np.exp(-phi)), margin, phi], axis=-1)
    laws = {}
    for kind in ("in", "out"):
        own = [every[:-1][a[f"refs_{kind}"][:, i], i] for i in range(60)]
        each = [np.cov(values.T) for values in own]
        laws[kind] = own, each if variance == "per_example" else [np.mean(each, axis=0)] * 60
    for i in range(60):
        logs = {}
        for kind, (own, covariances) in laws.items():
            weaker = np.where(np.eye(3, dtype=bool), 1.0, 0.999) * covariances[i]
            law = multivariate_normal(own[i].mean(axis=0), weaker)
            logs[kind] = law.logpdf(every[-1, i])
        assert found[i] == pytest.approx(logs["in"] - logs["out"], rel=1e-6, abs=1e-6)


def test_answers_that_do_not_vary_give_numbers():
    a, _ = arrays()
    a["refs_logits"][:, :20] = a["target_logits"][:20] = 40 * np.eye(4)[a["labels"][:20]]
    for variance in ("per_example", "global"):
        assert np.isfinite(run(multi_lira, a, variance=variance)).all()


def test_a_second_statistic_helps_where_it_tells_something_of_its_own():
    """Members whose second-largest class moved, at the same logit: the hinge sees it."""
    draws, (a, member) = np.random.default_rng(1), arrays(n=4000, k=24, shift=0.0)
    trained = np.vstack([a["refs_in"], member])
    logits = np.vstack([a["refs_logits"], a["target_logits"][None]])
    logits = 0.3 * draws.normal(size=logits.shape) + np.eye(4)[a["labels"]]
    other = np.eye(4)[(a["labels"] + 1) % 4]
    phi = logit_scaled_confidence(logits, a["labels"])
    logits = logits + 1.5 * trained[..., None] * other
    moved = logit_scaled_confidence(logits, a["labels"])
    logits += (phi - moved)[..., None] * np.eye(4)[a["labels"]]
    a |= {"refs_logits": logits[:-1], "target_logits": logits[-1]}
    one, two = (
        auc(roc(run(multi_lira, a, statistics=chosen, variance="per_example"), member))
        for chosen in (["logit"], ["logit", "hinge"])
    )
    assert abs(one["value"] - 0.5) < 0.05
    assert two["low"] > 0.7


def test_a_single_reference_of_a_kind_is_refused():
    a, _ = arrays(k=1)
    for variance in ("per_example", "global"):
        with pytest.raises(ValueError, match="needs 2 references of a kind"):
            run(multi_lira, a, variance=variance)
