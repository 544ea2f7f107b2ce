"""RAPID: what its classifier is taught, example by example, and what it adds to calibration."""

from types import SimpleNamespace

import numpy as np
import pytest

from miatlas.attacks import rapid, watson
from miatlas.attacks.shared import classifiers
from miatlas.attacks.shared.stand_ins import means_of_others
from miatlas.leakage.roc import auc, roc


def lesson(n=40, models=9, seed=0, k_out=4):
    draws = np.random.default_rng(seed)
    ranks = np.argsort(np.argsort(draws.random((models, n)), axis=0), axis=0)
    phi = draws.normal(size=(models, n, 2)).astype(np.float32)
    return SimpleNamespace(
        examples=np.arange(n) + 7, refs_phi=phi, refs_in=ranks < 3, refs_out=ranks >= models - k_out
    )


def loss(phi):
    return np.log(1 + np.exp(-phi.astype(float)))


def test_a_shadow_model_is_compared_with_others_and_always_with_equally_many():
    one = lesson()
    rank = classifiers.ranks(one.examples, one.refs_phi[..., :1])
    means, known = means_of_others(loss(one.refs_phi[..., 0]), one.refs_out, rank)
    assert known.all()
    for i in range(40):
        outs = np.flatnonzero(one.refs_out[:, i])
        spared = min(outs, key=lambda m, i=i: rank[m, i])
        for m in np.flatnonzero(one.refs_in[:, i] | one.refs_out[:, i]):
            others = [o for o in outs if o != (m if m in outs else spared)]
            assert len(others) == 3
            expected = loss(one.refs_phi[others, i, 0]).mean()
            assert means[m, i] == pytest.approx(expected, abs=1e-9)


def test_equal_laws_of_members_and_others_teach_nothing_even_with_two_references():
    """With a mean over two losses for members and over one for others, spread would tell them."""
    draws = np.random.default_rng(1)
    one = lesson(n=4000, k_out=2)
    fitted = rapid.fit([one], maximum=8000, epochs=20)
    phi, outs = draws.normal(size=(4000, 2)), np.ones((2, 4000), bool)
    found = rapid.score(phi, draws.normal(size=(2, 4000, 2)), outs, fitted)
    assert abs(found).max() < 1.0
    assert abs(found.mean()) < 0.1


def test_the_loss_itself_adds_to_its_calibration():
    """Members among sure examples stand out in the loss; calibration alone ranks them low."""
    draws = np.random.default_rng(2)
    n, models = 6000, 9
    ranks = np.argsort(np.argsort(draws.random((models + 1, n)), axis=0), axis=0)
    trained, easy = ranks < 5, draws.random(n) < 0.5
    phi = np.where(easy, 3.0, -2.0) + draws.normal(size=(models + 1, n)) * np.where(easy, 0.2, 2.0)
    phi = (phi + trained * np.where(easy, 1.0, 0.5))[..., None].astype(np.float32)
    k_in, k_out = trained[:-1].sum(0), (~trained[:-1]).sum(0)
    outs = (~trained[:-1]) & (np.cumsum(~trained[:-1], axis=0) <= k_out.min())
    ins = trained[:-1] & (np.cumsum(trained[:-1], axis=0) <= k_in.min())
    taught = SimpleNamespace(examples=np.arange(n), refs_phi=phi[:-1], refs_in=ins, refs_out=outs)
    fitted = rapid.fit([taught], maximum=4000, epochs=20)
    found = rapid.score(phi[-1], phi[:-1], outs, fitted)
    learned, plain = (
        auc(roc(scores, trained[-1])) for scores in (found, watson.score(phi[-1], phi[:-1], outs))
    )
    assert learned["low"] > plain["high"]


def test_shadow_models_that_no_others_are_out_of_are_refused():
    one = lesson(k_out=1)
    with pytest.raises(ValueError, match="that others are OUT of"):
        rapid.fit([one], maximum=10, epochs=1)
