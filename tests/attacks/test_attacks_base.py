"""BASE against its formula, and against the ranking of RMIA."""

from pathlib import Path

import numpy as np
import pytest
from fits import fitted, scored
from scipy.special import softmax

from miatlas import options
from miatlas.attacks import base, rmia
from miatlas.study.checking import checked


def chosen(attack, **given):
    return checked(given, options.declared(Path(attack.__file__), "score"), "test")


def arrays(seed=0, n=80, held_out=60, models=11, classes=4, spread=2.0):
    """Logits of the target and of `models` references, as many IN as OUT of each example."""
    draws = np.random.default_rng(seed)
    logits = spread * draws.normal(size=(models + 1, n + held_out, classes)).astype(np.float32)
    ranks = np.argsort(np.argsort(draws.random((models, n)), axis=0), axis=0)
    labels = draws.integers(classes, size=n + held_out)
    true = np.take_along_axis(logits, labels[None, :, None], 2)[..., 0]
    wrong = np.where(np.arange(classes) == labels[:, None], -np.inf, logits)
    phi = (true - np.log(np.exp(wrong).sum(axis=-1)))[..., None]
    found = {"refs_in": ranks < 4, "refs_out": ranks >= models - 4, "examples": np.arange(n)}
    for name, signal in (("phi", phi), ("logits", logits)):
        found |= {f"target_{name}": signal[-1, :n], f"refs_{name}": signal[:-1, :n]}
        found |= {f"target_held_out_{name}": signal[-1, n:]}
        found |= {f"refs_held_out_{name}": signal[:-1, n:]}
    return found | {"labels": labels[:n], "held_out_labels": labels[n:]}


def run(attack, a, **given):
    given = chosen(attack, **given)
    return scored(attack, a, fitted(attack, [a], given), given)


@pytest.mark.parametrize("mode", ["online", "offline"])
@pytest.mark.parametrize("temperature", [1, 2.0, 3.5])
def test_it_is_the_formula_written_out(mode, temperature):
    a = arrays()
    found = run(base, a, mode=mode, temperature=temperature)
    for i in range(80):
        y = a["labels"][i]
        p = softmax(a["refs_logits"][:, i].astype(float) / temperature, axis=1)[:, y]
        sides = [p[a[f"refs_{kind}"][:, i]].mean() for kind in ("in", "out")]
        mean = np.mean(sides) if mode == "online" else sides[1]
        own = softmax(a["target_logits"][i].astype(float) / temperature)[y]
        assert found[i] == pytest.approx(np.log(own / mean), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("gamma", [0.7, 1.0, 2.0])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_each_threshold_of_rmia_is_one_of_base_and_names_the_same_examples(gamma, temperature):
    """RMIA ≥ b where at least b of the population have log LR(z) ≤ BASE(x) - log gamma."""
    for seed in range(3):
        a = arrays(seed)
        of_rmia = run(rmia, a, gamma=gamma, temperature=temperature)
        of_base = run(base, a, temperature=temperature)
        held_out = {
            f"{who}_{what}": a[f"{who}_held_out_{what}"]
            for who in ("target", "refs")
            for what in ("phi", "logits")
        } | {"refs_out": np.ones((11, 60), bool), "labels": a["held_out_labels"]}
        population = np.sort(run(base, held_out, mode="offline", temperature=temperature))
        for b in np.unique(of_rmia)[1:]:
            threshold = np.log(gamma) + population[round(b * 60) - 1]
            assert np.array_equal(of_rmia >= b, of_base >= threshold)
        order = np.argsort(of_base)  # so that of two examples RMIA never prefers the other
        assert (np.diff(of_rmia[order]) >= 0).all()
        assert len(np.unique(of_base)) == 80 > len(np.unique(of_rmia))


def test_answers_without_any_confidence_keep_their_order():
    a = arrays()
    a["target_phi"][:4, 0] = [-3000.0, -2000.0, -1500.0, 40.0]
    a["refs_phi"][:, :4] = 800.0
    found = run(base, a, temperature=1)
    assert np.isfinite(found).all()
    assert np.diff(found[:4]) == pytest.approx([1000, 500, 1500], rel=1e-6)
