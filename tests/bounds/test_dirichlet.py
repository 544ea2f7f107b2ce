"""Fits of Dirichlet laws: against a plain minimiser, recovery, saturated models, few vectors."""

import numpy as np
import pytest
from scipy import optimize, special, stats

from miatlas.bounds import dirichlet
from miatlas.bounds.log_beta import log_beta


def vectors(alpha, k, seed=0):
    """ln p of k draws of each law alpha (n, C): (k, n, C)."""
    draws = np.random.default_rng(seed)
    shape = (k, *alpha.shape)
    log_g = (
        np.log(draws.standard_gamma(alpha + 1, shape)) - draws.standard_exponential(shape) / alpha
    )
    return log_g - special.logsumexp(log_g, axis=-1, keepdims=True)


def everything(log_p):
    return dirichlet.summarise(log_p, np.ones(log_p.shape[:2], bool))


def likelihood(alpha, mean_log):
    return -log_beta(alpha) + ((alpha - 1) * mean_log).sum(axis=-1)


def test_no_plain_minimiser_finds_a_larger_likelihood():
    alpha = 10 ** np.random.default_rng(1).uniform(-1, 1.5, (12, 4))
    summary = everything(vectors(alpha, 8))
    found = dirichlet.fit(summary)
    assert found.converged.all()
    for i in range(12):
        best = optimize.minimize(
            lambda x, g=summary.mean_log[i]: -likelihood(np.exp(x), g),
            np.log(alpha[i]), method="BFGS", options={"gtol": 1e-9},
        )  # fmt: skip
        own = likelihood(found.alpha[i], summary.mean_log[i])
        assert own >= -best.fun - 1e-10
        assert found.alpha[i] == pytest.approx(np.exp(best.x), rel=1e-3)


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
@pytest.mark.parametrize(("low", "high"), [(-3, -1), (-2, 0), (-1, 1), (0, 4), (2, 6)])
def test_fits_solve_the_likelihood_equations(classes, low, high):
    alpha = 10 ** np.random.default_rng(classes).uniform(low, high, (8, classes))
    summary = everything(vectors(alpha, 32))
    found = dirichlet.fit(summary)
    assert found.converged.all()
    assert found.steps.max() < 60
    total = found.alpha.sum(axis=1, keepdims=True)
    left = special.digamma(found.alpha) - special.digamma(total)
    digits = 1e-6 if low > -3 else 1e-4  # below a hundredth ψ falls as 1/α: parameters to 1e-4
    assert left == pytest.approx(summary.mean_log, rel=digits, abs=1e-9)


def test_two_vectors_of_two_classes_are_those_of_scipy():
    p = np.random.default_rng(0).beta(2.0, 5.0, 200)
    log_p = np.log(np.stack([p, 1 - p], axis=-1))[:, None]
    found = dirichlet.fit(everything(log_p)).alpha[0]
    assert found == pytest.approx(stats.beta.fit(p, floc=0, fscale=1)[:2], rel=1e-4)


@pytest.mark.parametrize(("low", "high"), [(-1, 2), (-3, -1)])
def test_parameters_are_recovered_as_the_number_of_models_grows(low, high):
    alpha = 10 ** np.random.default_rng(2).uniform(low, high, (300, 5))
    errors = [
        np.median(np.abs(np.log(dirichlet.fit(everything(vectors(alpha, k))).alpha / alpha)))
        for k in (8, 64, 512, 4096)
    ]
    assert (np.array(errors[:-1]) / errors[1:] > 2).all()  # √8 = 2.8 each
    assert errors[-1] < 0.02


def test_a_start_changes_nothing_but_the_steps():
    alpha = 10 ** np.random.default_rng(3).uniform(-1, 2, (200, 6))
    summary = everything(vectors(alpha, 16))
    cold = dirichlet.fit(summary)
    warm = dirichlet.fit(summary, start=cold.alpha)
    assert warm.alpha == pytest.approx(cold.alpha, rel=1e-7)
    assert warm.steps.mean() < cold.steps.mean() / 2
    far = dirichlet.fit(summary, start=np.ones_like(alpha))
    assert far.alpha == pytest.approx(cold.alpha, rel=1e-7)


def test_sure_models_have_laws_too():
    """p_y within 1e-13 of 1: ln p of the others says it all, and α_0 is what they ask for."""
    draws = np.random.default_rng(4)
    logits = np.stack([32 + draws.normal(0, 2, (40, 30)), *draws.normal(0, 1, (2, 40, 30))], -1)
    summary = everything(dirichlet.log_confidences(logits))
    found = dirichlet.fit(summary)
    assert found.converged.all()
    assert found.alpha.sum(axis=1).min() > 1e11
    others = special.digamma(found.alpha[:, 1:]) - np.log(found.alpha.sum(axis=1, keepdims=True))
    assert others == pytest.approx(summary.mean_log[:, 1:], rel=1e-6)
    share = found.alpha[:, 1:].sum(axis=1) / found.alpha.sum(axis=1)  # ψ(α_0 - b) - ψ(α_0) = -b/α_0
    assert share == pytest.approx(-summary.mean_log[:, 0], rel=1e-4)


def test_equal_vectors_are_reported():
    log_p = np.log(np.tile([0.7, 0.2, 0.1], (5, 1, 1)))
    found = dirichlet.fit(everything(log_p))
    assert not found.converged[0]
    assert np.isfinite(found.alpha).all()
    assert found.alpha[0] / found.alpha[0].sum() == pytest.approx([0.7, 0.2, 0.1], rel=1e-6)


def test_chunks_change_nothing(monkeypatch):
    alpha = 10 ** np.random.default_rng(5).uniform(-1, 2, (50, 4))
    summary = everything(vectors(alpha, 6))
    whole = dirichlet.fit(summary)
    monkeypatch.setattr(dirichlet, "CHUNK", 28)
    assert np.array_equal(dirichlet.fit(summary).alpha, whole.alpha)


def test_summaries_read_the_mask_alone():
    draws = np.random.default_rng(6)
    log_p = vectors(np.ones((7, 3)), 10)
    mask = draws.random((10, 7)) < 0.5
    mask[0] = True
    summary = dirichlet.summarise(log_p, mask)
    for i in range(7):
        own = log_p[mask[:, i], i]
        assert summary.count[i] == len(own)
        assert summary.mean_log[i] == pytest.approx(own.mean(axis=0))
        assert summary.mean[i] == pytest.approx(np.exp(own).mean(axis=0))


def test_pseudo_observations_are_observations():
    log_p = vectors(np.ones((4, 3)), 12)
    own, towards = everything(log_p[:8]), everything(log_p[8:])
    joined, all_of_them = dirichlet.shrunk(own, towards, 4.0), everything(log_p)
    for part, other in zip(joined, all_of_them, strict=True):
        assert part == pytest.approx(other)
    assert dirichlet.shrunk(own, towards, 0.0).mean_log == pytest.approx(own.mean_log)
    both = dirichlet.together(everything(log_p[:6]), everything(log_p[6:]))
    assert both.mean_log == pytest.approx(all_of_them.mean_log)


def test_log_confidences_are_exact_where_p_rounds_to_one():
    logits = np.array([[0.0, 40.0, -700.0], [1e4, 0.0, 0.0], [1.0, 1.0, 1.0]], np.float32)
    found = dirichlet.log_confidences(logits)
    assert found[0, 1] == pytest.approx(-np.exp(-40.0))
    assert found[1] == pytest.approx([0.0, -1e4, -1e4])
    assert found[2] == pytest.approx(np.full(3, -np.log(3)))
    random = np.random.default_rng(7).normal(0, 3, (5, 4, 6))
    assert dirichlet.log_confidences(random) == pytest.approx(special.log_softmax(random, axis=-1))
    phi = np.array([-800.0, -2.0, 0.0, 3.0, 50.0])
    pair = dirichlet.of_confidence(phi)
    assert pair[:, 0] == pytest.approx(special.log_expit(phi))
    assert pair[:, 1] == pytest.approx(special.log_expit(-phi))


def test_inverse_digamma():
    x = np.geomspace(1e-6, 1e12, 100)
    assert dirichlet.inverse_digamma(special.digamma(x)) == pytest.approx(x, rel=1e-9)
