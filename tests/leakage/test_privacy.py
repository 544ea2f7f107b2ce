"""Differential privacy: limits of ROC curves, and ε ruled out by counts."""

import numpy as np
import pytest
from scipy import stats

from miatlas.leakage import privacy


def test_the_limit_is_the_optimal_roc_of_randomised_response():
    """ε-private randomised response attains it: TPR e^ε / (1 + e^ε) at FPR 1 / (1 + e^ε)."""
    for epsilon in (0.1, 1.0, 5.0):
        share = 1 / (1 + np.exp(epsilon))
        assert privacy.tpr_limit(share, epsilon) == pytest.approx(1 - share)
        assert privacy.tpr_limit(share / 2, epsilon) == pytest.approx((1 - share) / 2)


def test_the_limit_is_both_inequalities_and_no_less():
    fpr = np.linspace(0, 1, 101)
    for epsilon, delta in ((0.0, 0.0), (0.5, 0.01), (2.0, 1e-5), (6.0, 0.0)):
        tpr = privacy.tpr_limit(fpr, epsilon, delta)
        factor = np.exp(epsilon)
        assert (tpr <= factor * fpr + delta + 1e-12).all()
        assert (1 - fpr <= factor * (1 - tpr) + delta + 1e-9).all()
        higher = np.minimum(tpr + 1e-6, 1.0)
        broken = (higher > factor * fpr + delta) | (1 - fpr > factor * (1 - higher) + delta + 1e-12)
        assert (broken | (higher == 1.0)).all()
        assert (np.diff(tpr) >= -1e-12).all()
    assert privacy.tpr_limit(fpr, 0.0) == pytest.approx(fpr)
    assert privacy.tpr_limit(fpr, 800.0).tolist() == [0.0] + [1.0] * 100


def test_no_privacy_budget_is_negative():
    with pytest.raises(ValueError, match="epsilon -1"):
        privacy.tpr_limit(0.1, -1.0)
    with pytest.raises(ValueError, match="delta 2"):
        privacy.tpr_limit(0.1, 1.0, 2.0)


def test_epsilon_follows_from_clopper_pearson():
    high = stats.binomtest(3, 1000).proportion_ci(method="exact").high
    low = stats.binomtest(90, 500).proportion_ci(method="exact").low
    expected = np.log((low - 1e-3) / high)
    assert privacy.epsilon_at_least(90, 500, 3, 1000, delta=1e-3) == pytest.approx(expected)
    # The other side: nearly all members found, half of the others too.
    high = stats.binomtest(500, 1000).proportion_ci(method="exact").high
    low = stats.binomtest(500, 500).proportion_ci(method="exact").low
    expected = np.log((1 - high) / (1 - low))
    assert privacy.epsilon_at_least(500, 500, 500, 1000) == pytest.approx(expected)


def test_counts_broadcast_and_nothing_ruled_out_is_zero():
    found = privacy.epsilon_at_least([0, 10, 100], 100, [0, 10, 100], 100)
    assert found.tolist() == [0, 0, 0]
    grid = privacy.epsilon_at_least(np.arange(0, 101, 50)[:, None], 100, np.array([0, 100]), 100)
    assert grid.shape == (3, 2)
    assert np.isfinite(grid).all()


@pytest.mark.parametrize("epsilon", [0.2, 1.0])
def test_the_limit_is_wrong_at_most_as_often_as_it_says(epsilon):
    share = 1 / (1 + np.exp(epsilon))
    draws = np.random.default_rng(0)
    hits, alarms = draws.binomial(400, 1 - share, 4000), draws.binomial(400, share, 4000)
    found = privacy.epsilon_at_least(hits, 400, alarms, 400)
    assert (found > epsilon).mean() <= 0.05
    assert found.mean() > epsilon / 8
