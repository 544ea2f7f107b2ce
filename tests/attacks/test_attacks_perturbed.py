"""AMIA and E-AMIA: LiRA and attack R, elsewhere."""

import numpy as np
import pytest
from fits import run

from miatlas.attacks import amia, attack_r, e_amia, lira_online


def arrays(n=40, models=12, seed=0):
    generator = np.random.default_rng(seed)
    rank = generator.random((models, n)).argsort(axis=0).argsort(axis=0)
    phi = 3 * generator.normal(size=(1, n, 1)) + generator.normal(size=(models + 1, n, 1))
    there = {"refs_in": rank < 5, "refs_out": rank > 6}
    return phi[0], phi[1:], there


def moved_and_plain():
    """The same answers twice: about an audit's points, and about the examples themselves."""
    target, refs, masks = arrays()
    moved = {"target_perturbed": target, "refs_perturbed": refs, **masks}
    return moved, {"target_phi": target, "refs_phi": refs, **masks}


@pytest.mark.parametrize("variance", ["per_example", "global"])
def test_amia_is_lira_of_one_query_about_the_points(variance):
    moved, plain = moved_and_plain()
    expected = run(lira_online, plain, variance=variance)
    np.testing.assert_allclose(run(amia, moved, variance=variance, pieces=3), expected, rtol=1e-9)


@pytest.mark.parametrize("refs", ["out", "all"])
def test_e_amia_is_attack_r_about_the_points(refs):
    moved, plain = moved_and_plain()
    expected = run(attack_r, plain, refs=refs)
    np.testing.assert_array_equal(run(e_amia, moved, refs=refs), expected)
