"""MERLIN, gradient norms and Long's outliers: slow versions, and models trained to remember."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fits import fitted
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from miatlas.attacks import gradient_norm, long, merlin
from miatlas.signals.probes import distances, gradients, noise
from miatlas.training import ensemble
from miatlas.training.architectures import mlp


def lesson(generator, n, informative, models=5):
    """Shares of ten copies; at one deviation members have more. Ragged, some in neither mask."""
    kind = generator.choice(3, size=(models, n), p=[0.3, 0.5, 0.2])
    rate = np.full((models, n, 4), 0.5)
    rate[..., informative] += 0.2 * (kind == 0)
    shares = (generator.binomial(10, rate) / 10).astype(np.float32)
    return SimpleNamespace(refs_noise=shares, refs_in=kind == 0, refs_out=kind == 1)


def advantage_slowly(members, others):
    """Return max(TPR - FPR) by trying every threshold, and one above all."""
    thresholds = [*members, *others, 2.0]
    return max(np.mean(members >= t) - np.mean(others >= t) for t in thresholds)


@pytest.mark.parametrize("informative", range(4))
def test_merlin_takes_the_deviation_of_the_largest_advantage(informative):
    generator = np.random.default_rng(informative)
    lessons = [lesson(generator, n, informative) for n in (40, 1, 25)]
    sides = [
        np.concatenate([piece.refs_noise[getattr(piece, side)] for piece in lessons])
        for side in ("refs_in", "refs_out")
    ]
    slow = [advantage_slowly(*(side[:, s] for side in sides)) for s in range(4)]
    chosen = merlin.fit(map(merlin.summarise, lessons))
    assert chosen == np.argmax(slow) == informative
    shares = generator.random((7, 4)).astype(np.float32)
    assert merlin.score(shares, chosen).tolist() == shares[:, informative].tolist()


def test_merlin_takes_the_first_deviation_where_none_is_better_and_is_not_fooled_by_the_reverse():
    equal = SimpleNamespace(
        refs_noise=np.float32([[[0.5, 0.9, 0.1], [0.5, 0.1, 0.9]]]),
        refs_in=np.array([[True, False]]), refs_out=np.array([[False, True]]),
    )  # fmt: skip
    # at 0 nothing is told apart, at 2 members have less
    assert merlin.fit([merlin.summarise(equal)]) == 1
    equal.refs_noise[..., 1] = equal.refs_noise[..., 2]
    assert merlin.fit([merlin.summarise(equal)]) == 0


def tables(n=30, models=12, seed=1):
    generator = np.random.default_rng(seed)
    order = np.argsort(generator.random((models, n)), axis=0)
    target, refs = (np.exp(generator.normal(size=(*s, 3)) * 2) for s in ((n,), (models, n)))
    return target.astype(np.float32), refs.astype(np.float32), order < 5, order > 6


@pytest.mark.parametrize(("name", "place"), [("l1", 0), ("l2", 1), ("linf", 2)])
@pytest.mark.parametrize("variance", ["per_example", "global"])
def test_the_norms_likelihood_ratio_is_that_of_two_normals(name, place, variance):
    target, refs, refs_in, refs_out = tables()
    exact = refs.astype(np.float64)
    options = {"norm": name, "form": "lira", "variance": variance}
    cuts = [
        {"refs_gradients": refs[:, i], "refs_in": refs_in[:, i], "refs_out": refs_out[:, i]}
        for i in (slice(0, 11), slice(11, 30))
    ]
    fit = fitted(gradient_norm, cuts, options)
    found = gradient_norm.score(target, refs, refs_in, refs_out, **fit, **options)
    logs = {i: [np.log(exact[m[:, i], i, place]) for m in (refs_in, refs_out)] for i in range(30)}
    pooled = [np.sqrt(np.mean([logs[i][k].var(ddof=1) for i in range(30)])) for k in (0, 1)]
    for i in range(30):
        own = [values.std(ddof=1) for values in logs[i]]
        s = own if variance == "per_example" else pooled
        laws = [
            norm(values.mean(), deviation) for values, deviation in zip(logs[i], s, strict=True)
        ]
        x = np.log(np.float64(target[i, place]))
        assert found[i] == pytest.approx(laws[0].logpdf(x) - laws[1].logpdf(x), rel=1e-6, abs=1e-9)


def test_a_threshold_on_the_norm_needs_no_references_and_the_ratio_no_unit():
    target, refs, refs_in, refs_out = tables()
    found = gradient_norm.score(target, norm="linf")
    assert np.array_equal(np.argsort(found), np.argsort(-target[:, 2]))
    threshold, ratio = (
        {"norm": "l2", "form": form, "variance": "global"} for form in ("threshold", "lira")
    )
    said = gradient_norm.ATTACK
    assert said.read(threshold) == {"target_gradients"}
    assert {"refs_gradients", "refs_in", "refs_out"} < said.read(ratio)
    unit = np.exp(np.random.default_rng(2).normal(size=(30, 1))).astype(np.float32)
    plain, scaled = (
        gradient_norm.score(target * u, refs * u, refs_in, refs_out, form="lira")
        for u in (np.ones_like(unit), unit)
    )
    assert scaled == pytest.approx(plain, rel=1e-4, abs=1e-5)


def test_gradients_that_have_vanished_give_numbers_and_a_missing_fit_is_named():
    target, refs, refs_in, refs_out = tables()
    target[:5], refs[:, 3:8] = 0, 0
    for options in ({}, {"form": "lira"}):
        assert np.isfinite(gradient_norm.score(target, refs, refs_in, refs_out, **options)).all()
    with pytest.raises(ValueError, match="fit"):
        gradient_norm.score(target, refs, refs_in, refs_out, form="lira", variance="global")


@pytest.mark.parametrize("outliers", [0.0, 0.1, 0.33, 1.0])
def test_long_attacks_the_share_of_outliers_and_nobody_else(outliers):
    generator = np.random.default_rng(3)
    n, models = 60, 9
    out = np.argsort(generator.random((models, n)), axis=0) < 6
    target, refs = generator.normal(size=(n, 2)), generator.normal(size=(models, n, 2))
    far = generator.random(n).astype(np.float32)
    cuts = [SimpleNamespace(ref_distances=far[i]) for i in np.array_split(np.arange(n), 4)]
    fitted = long.fit(cuts, outliers=outliers, smoothing="empirical")
    found = long.score(target, refs, out, far, fitted, outliers=outliers, smoothing="empirical")
    attacked = set(np.argsort(-far)[: max(1, round(outliers * n))])
    for i in range(n):
        below = np.mean(refs[out[:, i], i, 0] >= target[i, 0])  # loss falls with phi
        assert found[i] == pytest.approx(-below if i in attacked else -1)
    assert found.min() == -1


def test_long_is_right_about_few_and_of_those_about_most():
    """Its claim: far fewer guesses than by all losses, but a larger share of them right."""
    generator = np.random.default_rng(4)
    n, models = 20_000, 32
    member, far = generator.random(n) < 0.5, generator.random(n)
    memorised = 4.0 * (far > 0.9)  # only outliers have to be learned by heart
    target = generator.normal(size=n) + memorised * member
    refs = generator.normal(size=(models, n))
    fitted = long.fit([SimpleNamespace(ref_distances=far)], outliers=0.1, smoothing="linear")
    found, everyone = (
        long.score(target[:, None], refs[..., None], np.ones((models, n), bool), far, at)
        for at in (fitted, 0.0)
    )
    assert (found > long.NOT_ATTACKED).sum() <= 2000
    wrong = [np.mean(~member[np.argsort(-values)[:900]]) for values in (found, everyone)]
    assert wrong[0] < 0.05
    assert wrong[0] < wrong[1] / 2
    accuracies = [
        (np.mean(found[member] >= t) + np.mean(found[~member] < t)) / 2 for t in np.unique(found)
    ]
    assert 0.53 < max(accuracies) < 0.56  # (1 + share) / 2 at most


@pytest.fixture(scope="module")
def remembering(one_thread):
    """Six networks that know by heart, each, the random labels of a random half of the examples."""
    n = 120
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(n, 20, generator=generator), torch.randint(3, (n,), generator=generator)
    member = torch.rand(6, n, generator=generator) < 0.5
    models = ensemble.build(lambda: mlp.build((20,), 3, widths=[64]), list(range(6)), "cpu")
    optimiser = torch.optim.Adam(list(models.parameters.values()), lr=0.01)
    for _ in range(120):
        optimiser.zero_grad()
        logits = models(x.expand(6, n, 20)).flatten(0, 1)
        losses = torch.nn.functional.cross_entropy(logits, y.repeat(6), reduction="none")
        losses.view(6, n)[member].mean().backward()
        optimiser.step()
    return models, x, y.numpy(), member.numpy()


def test_what_is_learned_by_heart_lies_low_and_flat(remembering):
    """Members are where noise raises the loss and where the gradient is small."""
    models, x, labels, member = remembering
    shares = noise.measure(models, x, labels, copies=60, deviations=[0.01, 0.3, 1.0])
    lessons = [SimpleNamespace(refs_noise=shares[1:], refs_in=member[1:], refs_out=~member[1:])]
    chosen = merlin.fit(map(merlin.summarise, lessons))
    assert chosen > 0  # at 0.01 every loss is linear
    assert roc_auc_score(member[0], merlin.score(shares[0], chosen)) > 0.7
    norms = gradients.measure(models, x, labels)
    for name in gradient_norm.NORMS:
        assert roc_auc_score(member[0], gradient_norm.score(norms[0], norm=name)) > 0.9
    far = distances.measure(models.part(slice(1, 2)), x, labels)[0]
    assert far.shape == (120,)
    assert far.min() > 0
