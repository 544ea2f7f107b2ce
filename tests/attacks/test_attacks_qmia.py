"""QMIA: the formula, and one threshold at its level for all examples."""

import numpy as np
from scipy.stats import kstest, norm

from miatlas.attacks import qmia


def test_qmia_is_the_distance_from_what_a_non_member_would_be_answered():
    phi = np.array([[1.0, 9.0], [-2.0, 9.0], [0.5, 9.0]], np.float32)
    normal = np.array([[0.0, 2.0], [-3.0, 0.5], [0.5, 1.0]], np.float32)
    assert qmia.score(phi, normal).tolist() == [0.5, 2.0, 0.0]
    quantiles = np.array([[3, 2, 1], [0, -1, -2], [7, 6, 5]], np.float32)
    for k, level in enumerate((0.001, 0.01, 0.1)):
        found = qmia.score(phi, None, quantiles, law="quantile", level=level)
        assert found.tolist() == (phi[:, 0] - quantiles[:, k]).tolist()


def test_a_threshold_of_0_on_a_quantile_names_its_share_of_non_members_whatever_the_example():
    """The paper's claim: one threshold is at the level for every example, however hard it is."""
    generator = np.random.default_rng(0)
    mu, sigma = generator.normal(size=20_000) * 4, np.exp(generator.normal(size=20_000))
    phi = (mu + sigma * generator.normal(size=20_000))[:, None]
    quantiles = mu[:, None] + sigma[:, None] * norm.ppf([0.999, 0.99, 0.9])
    hard = mu < np.median(mu)
    for level in (0.01, 0.1):
        named = qmia.score(phi, None, quantiles, law="quantile", level=level) > 0
        for some in (hard, ~hard):
            assert abs(named[some].mean() - level) < 4 * np.sqrt(level / 10_000)
    z = qmia.score(phi, np.stack([mu, sigma], 1))
    assert kstest(z, "norm").pvalue > 1e-3
