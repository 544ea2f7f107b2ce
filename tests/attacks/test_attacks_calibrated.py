"""Attacks that take hardness off the loss: per example (Sablayrolles, Watson) or per class."""

import numpy as np
import pytest
from fits import fitted, scored

from miatlas.attacks import class_threshold, loss, sablayrolles, watson
from miatlas.leakage.roc import auc, roc

NAMES = ("target_phi", "refs_phi", "refs_in", "refs_out")


def arrays(seed=0, n=60, models=12, k=5):
    """Two queries; k IN references, k + 1 OUT and one neither, of each example."""
    generator = np.random.default_rng(seed)
    ranks = np.argsort(np.argsort(generator.random((models, n)), axis=0), axis=0)
    hardness = 3 * generator.normal(size=(n, 1))
    phi = hardness + generator.normal(size=(models + 1, n, 2))
    return dict(zip(NAMES, (phi[-1], phi[:-1], ranks < k, ranks >= models - k - 1), strict=True))


def mean_loss(a, kind, i):
    """The mean loss of example i under its references of one kind, written out."""
    losses = []
    for model, used in enumerate(a[f"refs_{kind}"][:, i]):
        if used:
            p = 1 / (1 + np.exp(-a["refs_phi"][model, i, 0]))
            losses.append(-np.log(p))
    return sum(losses) / len(losses)


def only(a, *names):
    return {name: a[name] for name in names}


def test_sablayrolles_is_the_distance_to_the_midpoint_written_out():
    a = arrays()
    found = sablayrolles.score(**a)
    for i in range(60):
        tau = (mean_loss(a, "in", i) + mean_loss(a, "out", i)) / 2
        own = np.log(1 + np.exp(-a["target_phi"][i, 0]))
        assert found[i] == pytest.approx(tau - own, rel=1e-12)


def test_sablayrolles_on_the_logit_has_the_midpoint_of_the_logits():
    a = arrays()
    found = sablayrolles.score(**a, statistic="logit")
    for i in range(60):
        ins, outs = (a["refs_phi"][a[f"refs_{kind}"][:, i], i, 0] for kind in ("in", "out"))
        tau = (ins.sum() / len(ins) + outs.sum() / len(outs)) / 2
        assert found[i] == pytest.approx(a["target_phi"][i, 0] - tau, rel=1e-12)


def test_watson_is_the_distance_to_the_mean_of_the_out_models_written_out():
    a = arrays()
    given = only(a, "target_phi", "refs_phi", "refs_out")
    losses, logits = watson.score(**given), watson.score(**given, statistic="logit")
    for i in range(60):
        own = np.log(1 + np.exp(-a["target_phi"][i, 0]))
        assert losses[i] == pytest.approx(mean_loss(a, "out", i) - own, rel=1e-12)
        outs = a["refs_phi"][a["refs_out"][:, i], i, 0]
        assert logits[i] == pytest.approx(a["target_phi"][i, 0] - outs.mean(), rel=1e-12)


def test_watson_ranks_as_sablayrolles_when_in_means_are_out_means_plus_a_constant():
    """tau then is the OUT mean plus half the constant, which moves no score past another."""
    generator = np.random.default_rng(1)
    out_losses = generator.uniform(1.0, 4.0, size=(4, 50))
    losses = np.concatenate([out_losses, out_losses - 0.7])
    phi = -np.log(np.expm1(losses))[..., None]
    outs = np.arange(8)[:, None] < np.full(50, 4)
    target = generator.normal(size=(50, 1))
    first = sablayrolles.score(target, phi, ~outs, outs)
    second = watson.score(target, phi, outs)
    assert np.array_equal(np.argsort(first), np.argsort(second))
    assert second - first == pytest.approx(np.full(50, 0.35))
    phi[4:, 0] += 3.0  # one IN mean that is otherwise
    assert np.ptp(second - sablayrolles.score(target, phi, ~outs, outs)) > 0.1


def test_hardness_of_examples_is_what_they_take_off():
    generator = np.random.default_rng(2)
    member = generator.random(4000) < 0.5
    refs_in = np.tile(np.arange(16)[:, None] < 8, 4000)
    phi = 3 * generator.normal(size=4000) + generator.normal(size=(17, 4000))
    phi += 1.5 * np.concatenate([refs_in, member[None]])
    a = dict(zip(NAMES, (phi[-1:].T, phi[:-1, :, None], refs_in, ~refs_in), strict=True))
    plain = auc(roc(loss.score(a["target_phi"]), member))["high"]
    for attack, names in ((sablayrolles, NAMES), (watson, (*NAMES[:2], "refs_out"))):
        assert auc(roc(attack.score(**only(a, *names)), member))["low"] > plain


def run_by_class(a, labels, rule, pieces=1):
    a = a | {"labels": labels}
    cuts = [
        {n: v[:, i] if n.startswith("refs") else v[i] for n, v in a.items()}
        for i in np.array_split(np.arange(len(labels)), pieces)
    ]
    fit = fitted(class_threshold, cuts, {"rule": rule})
    return np.concatenate([scored(class_threshold, cut, fit, {"rule": rule}) for cut in cuts])


@pytest.mark.parametrize("pieces", [1, 9])
def test_class_threshold_is_the_midpoint_of_the_class_written_out(pieces):
    a, labels = arrays(), np.random.default_rng(3).choice([0, 2, 7], size=60)
    moved = run_by_class(a, labels, "threshold", pieces)
    scaled = run_by_class(a, labels, "scale", pieces)
    for label in (0, 2, 7):
        own = np.flatnonzero(labels == label)
        means = [np.mean([mean_loss(a, kind, i) for i in own]) for kind in ("in", "out")]
        tau = sum(means) / 2
        losses = np.log(1 + np.exp(-a["target_phi"][own, 0]))
        assert moved[own] == pytest.approx(tau - losses, rel=1e-9)
        assert scaled[own] == pytest.approx(-losses / tau, rel=1e-9)


def test_class_threshold_helps_where_classes_differ_and_only_there():
    generator = np.random.default_rng(4)
    member, labels = generator.random(4000) < 0.5, generator.integers(4, size=4000)
    refs_in = np.tile(np.arange(16)[:, None] < 8, 4000)
    noise = generator.normal(size=(17, 4000)) + np.concatenate([refs_in, member[None]])
    for gap, helps in ((2.0, True), (0.0, False)):
        phi = noise - gap * labels
        a = dict(zip(NAMES, (phi[-1:].T, phi[:-1, :, None], refs_in, ~refs_in), strict=True))
        plain = auc(roc(loss.score(a["target_phi"]), member))
        for rule in ("threshold", "scale"):
            by_class = auc(roc(run_by_class(a, labels, rule), member))
            assert (by_class["low"] > plain["high"]) == helps
            assert helps or abs(by_class["value"] - plain["value"]) < 0.005


def test_references_that_differ_in_number_are_refused():
    a = arrays()
    a["refs_out"][:, 0] = True
    with pytest.raises(ValueError, match="balance them first"):
        sablayrolles.score(**a)
    with pytest.raises(ValueError, match="balance them first"):
        watson.score(**only(a, "target_phi", "refs_phi", "refs_out"))


def test_a_class_that_the_lessons_do_not_show_from_both_sides_is_refused_by_name():
    a, labels = arrays(), np.arange(60) % 3
    a["refs_in"][:, labels == 2] = False
    assert run_by_class(
        {
            n: v[..., labels < 2, :] if n.endswith("phi") else v[..., labels < 2]
            for n, v in a.items()
        },
        labels[labels < 2],
        "threshold",
    ).shape == (40,)
    with pytest.raises(ValueError, match="members and non-members of class 2"):
        run_by_class(a, labels, "threshold")
