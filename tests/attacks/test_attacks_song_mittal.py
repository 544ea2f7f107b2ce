"""The modified entropy against arithmetic with sixty digits; the class laws against scipy's."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from fits import fitted, scored
from scipy.stats import norm

from miatlas.attacks import song_mittal
from miatlas.attacks.song_mittal import modified_entropy

LOGITS = [
    [0.3, -1.2, 2.5, 0.0], [-3.0, 41.5, -2.0, 0.25], [55.0, -20.0, 1.0, 2.0], [1.5, -0.5],
    [90.0, -90.0], [2.0, 2.0, 2.0], [7.0, 7.0, -1.0], [-300.0, 60.0, 59.0, 0.0],
]  # fmt: skip


def exact(logits, label):
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = 400, 10**9, -(10**9)
        powers = [(Decimal(z) - Decimal(max(logits))).exp() for z in logits]
        p = [power / sum(powers) for power in powers]
        wrong = sum(q * (1 - q).ln() for c, q in enumerate(p) if c != label)
        return float(-(1 - p[label]) * p[label].ln() - wrong)


@pytest.mark.parametrize("logits", LOGITS)
@pytest.mark.parametrize("label", [0, 1])
def test_modified_entropy_is_its_definition(logits, label):
    found = modified_entropy(np.array([logits]), np.array([label]))[0]
    assert found == pytest.approx(exact(logits, label), rel=1e-11)


def test_modified_entropy_is_finite_for_any_logits_of_half_precision():
    logits = np.array([[65504, -65504, 0], [-65504, 65504, 0]], dtype=np.float16)
    found = modified_entropy(logits, np.array([0, 0]))
    assert np.isfinite(np.log(found)).all()
    assert found[0] < 1e-300
    assert found[1] > 1e5


def mentr(p, label):
    return modified_entropy(np.log(p)[None], np.array([label]))[0]


def test_it_falls_as_the_true_class_gains_and_rises_with_any_wrong_class():
    """Song & Mittal's two properties, along moves between vectors that sum to 1."""
    generator = np.random.default_rng(0)
    for _ in range(50):
        p = generator.dirichlet(np.ones(5))
        for share in (0.1, 0.5, 0.9):  # to the true class, from the wrong ones in proportion
            gained = p * (1 - share)
            gained[2] += share
            assert mentr(gained, 2) < mentr(p, 2)
        for wrong in (0, 1, 3, 4):  # to one wrong class, from the true one
            moved = p.copy()
            moved[wrong] += 0.5 * p[2]
            moved[2] *= 0.5
            assert mentr(moved, 2) > mentr(p, 2)


def test_unlike_the_entropy_it_knows_sure_and_wrong_from_sure_and_right():
    p = np.array([0.98, 0.01, 0.01])
    assert mentr(p, 0) < 0.05
    assert mentr(p, 1) > 3


def test_the_score_is_the_ratio_of_the_class_laws_written_out():
    generator = np.random.default_rng(1)
    ranks = np.argsort(generator.random((9, 40)), axis=0)
    a = {
        "target_logits": generator.normal(size=(40, 2, 4)),
        "refs_logits": generator.normal(size=(9, 40, 2, 4)) * 2,
        "labels": generator.choice([0, 1, 3], size=40),
        "refs_in": ranks < 3, "refs_out": ranks > 4,
    }  # fmt: skip
    for queries in (2, 1):  # logits of query 0 alone have no axis for it
        if queries == 1:
            untouched = {"target_logits": a["target_logits"][:, 0]}
            a = a | untouched | {"refs_logits": a["refs_logits"][:, :, 0]}
        cuts = [
            {n: v[:, i] if n.startswith("refs") else v[i] for n, v in a.items()}
            for i in np.array_split(np.arange(40), 3)
        ]
        fit = fitted(song_mittal, cuts, {})
        found = np.concatenate([scored(song_mittal, cut, fit, {}) for cut in cuts])
        if queries == 2:
            expected, first = found, a
    for label in (0, 1, 3):
        laws = []
        for kind in ("in", "out"):
            pool = [
                np.log(exact(list(first["refs_logits"][m, i, 0]), label))
                for i in np.flatnonzero(a["labels"] == label)
                for m in np.flatnonzero(a[f"refs_{kind}"][:, i])
            ]
            laws.append((np.mean(pool), np.std(pool)))
        for i in np.flatnonzero(a["labels"] == label):
            own = np.log(exact(list(first["target_logits"][i, 0]), label))
            ratio = norm.logpdf(own, *laws[0]) - norm.logpdf(own, *laws[1])
            assert found[i] == pytest.approx(ratio, rel=1e-6, abs=1e-9)
    assert np.array_equal(found, expected)
