"""Probes against loops over single float64 networks, and independent of how they are sliced."""

import copy
import inspect
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from miatlas import options
from miatlas.signals import probes
from miatlas.signals.probes import confidence, distances, gradients, noise, noisy_labels, tokens
from miatlas.study.checking import checked
from miatlas.training import ensemble
from miatlas.training.architectures import cnn, gpt2, mlp, resnet, wide_resnet

FOLDER = Path(probes.__path__[0])
MEASURES = {
    "noise": noise, "noisy_labels": noisy_labels, "gradients": gradients, "distances": distances,
    "tokens": tokens,
}  # fmt: skip
MAKERS = {
    "mlp": lambda: mlp.build((1, 8, 8), 5, widths=[16]),
    "cnn": lambda: cnn.build((1, 8, 8), 5, filters=4),
    "normalised": lambda: wide_resnet.build((1, 8, 8), 5, depth=10, width=1),
}
WORDS = {"vocabulary": 50, "width": 12, "depth": 1, "heads": 2}
PROBED = [(name, make) for name in MEASURES for make in MAKERS if name != "tokens"]
CPU = torch.device("cpu")


pytestmark = pytest.mark.usefixtures("one_thread")


def group(make="mlp", models=3):
    """Models whose running statistics are not the initial ones, left in training mode."""
    maker = MAKERS.get(make, lambda: gpt2.build((9,), 1, **WORDS))
    result = ensemble.build(maker, list(range(models)), CPU)
    generator = torch.Generator().manual_seed(5)
    for name, buffer in result.buffers.items():
        if "running" in name:
            buffer.mul_(0.5).add_(torch.rand(buffer.shape, generator=generator) / 10)
    result.network.train()
    return result


def network(models, k):
    """Model k alone, in float64 and in evaluation mode."""
    single = copy.deepcopy(models.network)
    single.load_state_dict({name: tensor[k] for name, tensor in models.weights().items()})
    return single.double().eval()


def examples(n=12):
    x = torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return x, np.arange(n) % 5


def loss(single, x, label):
    return cross_entropy(single(x.double()[None]), torch.tensor([label]))


def measure(name, *arguments, **given):
    """Call a probe with options as the workflow completes them."""
    chosen = checked(given, options.declared(FOLDER / f"{name}.py", "measure"), name)
    return MEASURES[name].measure(*arguments, **chosen)


def test_every_module_that_measures_takes_the_same_three_arguments():
    found = {path.stem for path in FOLDER.glob("[!_]*.py")}
    modules = {name: import_module(f"miatlas.signals.probes.{name}") for name in found}
    assert {name for name, module in modules.items() if hasattr(module, "measure")} == set(MEASURES)
    for name in MEASURES:
        parameters = list(inspect.signature(modules[name].measure).parameters)
        assert parameters[:3] == ["group", "x", "labels"]


def windows(n=12):
    ids = torch.randint(1, 50, (n, 9), generator=torch.Generator().manual_seed(2))
    return ids.float(), np.zeros(n, int)


@pytest.mark.parametrize(("name", "make"), [*PROBED, ("tokens", "words")])
def test_neither_slices_nor_blocks_matter_and_models_are_left_as_they_were(name, make, monkeypatch):
    (x, labels), models = windows() if name == "tokens" else examples(), group(make)
    before = {key: tensor.clone() for key, tensor in models.weights().items()}
    given = {"copies": 20} if "nois" in name else {}
    whole = measure(name, models, x, labels, **given)
    assert whole.dtype == np.float32
    assert whole.shape[:2] == (3, 12)
    assert all(torch.equal(tensor, before[key]) for key, tensor in models.weights().items())
    alone = [measure(name, models.part(slice(k, k + 1)), x, labels, **given) for k in range(3)]
    np.testing.assert_allclose(np.concatenate(alone), whole, rtol=2e-4, atol=1e-6)
    monkeypatch.setattr(noise, "AT_ONCE", 5 * 20 * 64)
    monkeypatch.setitem(gradients.AT_ONCE, "cpu", 5000)
    monkeypatch.setitem(distances.AT_ONCE, "cpu", 5 * 12)
    monkeypatch.setitem(ensemble.AT_ONCE, "cpu", 7 * 3 * x[0].numel())
    monkeypatch.setitem(gpt2.AT_ONCE, "cpu", 2 * 9 * 50)
    sliced = measure(name, models, x, labels, **given)
    np.testing.assert_allclose(sliced, whole, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("make", MAKERS)
def test_noise_is_the_share_of_copies_with_a_larger_loss(make):
    (x, labels), models = examples(6), group(make)
    found = measure("noise", models, x, labels, copies=50, deviations=[0.05, 0.5])
    assert found.shape == (3, 6, 2)
    for k in range(3):
        single = network(models, k)
        for i in range(6):
            epsilon = noise.draw(i, 1, (50, 1, 8, 8))[0]
            own = loss(single, x[i], labels[i])
            for s, sigma in enumerate((0.05, 0.5)):
                larger = [loss(single, x[i] + sigma * e, labels[i]) > own for e in epsilon]
                assert found[k, i, s] == pytest.approx(np.mean(larger), abs=1e-6)
    assert found.std() > 0


def test_noise_is_standard_normal_and_each_examples_own():
    drawn = noise.draw(3, 4, (100, 30))
    assert torch.equal(drawn[1], noise.draw(4, 1, (100, 30))[0])
    assert abs(float(drawn.mean())) < 4 / np.sqrt(drawn.numel())
    assert float(drawn.var()) == pytest.approx(1, abs=4 * np.sqrt(2 / drawn.numel()))
    flat = drawn.flatten(1).numpy()
    assert np.abs(np.corrcoef(flat) - np.eye(4)).max() < 4 / np.sqrt(3000)
    copies = drawn[0].numpy()  # nor are the copies of one example alike
    assert np.abs(np.corrcoef(copies) - np.eye(100)).max() < 6 / np.sqrt(30)


def test_noise_raises_a_loss_at_its_minimum_always_and_a_linear_one_every_other_time():
    class Bowl(nn.Module):
        """phi of class 0 against class 1 is -w |x|²."""

        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(()))

        def forward(self, x):
            z = -self.w * x.square().sum(1)
            return torch.stack([z, torch.zeros_like(z)], dim=1)

    bowl = ensemble.Ensemble.from_networks([Bowl()], CPU)
    found = measure("noise", bowl, torch.zeros(2, 6), np.array([0, 1]))
    assert found.shape == (1, 2, 4)
    assert (found[0] == [[1.0], [0.0]]).all()
    linear = ensemble.build(lambda: mlp.build((30,), 2, widths=[]), [0], CPU)
    x = torch.randn(200, 30, generator=torch.Generator().manual_seed(2))
    shares = measure("noise", linear, x, np.arange(200) % 2)
    np.testing.assert_array_equal(shares[..., 0], shares[..., 3])  # the same ε for every σ
    assert shares.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(200 * 100))
    assert shares.std() == pytest.approx(np.sqrt(0.25 / 100), rel=0.25)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"copies": 0}, "copies"), ({"deviations": []}, "positive"),
        ({"deviations": [0.1, 0.0]}, "positive"), ({"deviations": 0.1}, "list"),
    ],
)  # fmt: skip
def test_bad_noise_is_refused(given, says):
    with pytest.raises(ValueError, match=says):
        measure("noise", group(), *examples(), **given)


@pytest.mark.parametrize("make", MAKERS)
def test_gradients_are_those_of_one_network_and_one_example(make):
    (x, labels), models = examples(6), group(make)
    found = measure("gradients", models, x, labels)
    assert found.shape == (3, 6, 3)
    for k in range(3):
        single = network(models, k)
        for i in range(6):
            parts = torch.autograd.grad(loss(single, x[i], labels[i]), list(single.parameters()))
            slow = np.concatenate([part.numpy().ravel() for part in parts])
            expected = [np.linalg.norm(slow, order) for order in (1, 2, np.inf)]
            np.testing.assert_allclose(found[k, i], expected, rtol=1e-4)


def test_gradients_keep_their_digits_where_the_model_is_sure():
    x, models = torch.ones(1, 3), ensemble.build(lambda: mlp.build((3,), 4, widths=[]), [0], CPU)
    for margin in (0.0, 10.0, 30.0, 60.0, 85.0):
        bias = models.parameters["head.bias"].detach()
        bias[0] = torch.tensor([margin, 0.0, 0.0, 0.0])
        single = network(models, 0)
        z = single(x.double())[0].detach().numpy()
        wrong = np.exp(z[1:] - z[0])  # p_c / p_y
        p = np.concatenate([[-wrong.sum()], wrong]) / (1 + wrong.sum())  # ∇_z loss
        size = np.sqrt(3.0 + 1.0)  # of (x, 1)
        found = measure("gradients", models, x, np.array([0]))[0, 0]
        np.testing.assert_allclose(found[1], np.linalg.norm(p) * size, rtol=1e-4)
        np.testing.assert_allclose(found[[0, 2]], [np.abs(p).sum() * 4, np.abs(p).max()], rtol=1e-4)


def test_gradients_of_a_network_with_activations_in_place():
    models = ensemble.build(lambda: resnet.build((3, 8, 8), 4), [0], CPU)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    found = measure("gradients", models, x, np.array([1, 3]))[0]
    single = network(models, 0)
    for i, label in enumerate((1, 3)):
        parts = torch.autograd.grad(loss(single, x[i], label), list(single.parameters()))
        expected = np.linalg.norm(np.concatenate([part.numpy().ravel() for part in parts]))
        assert found[i, 1] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("make", MAKERS)
def test_distances_are_to_the_nearest_other_example(make):
    (x, labels), models = examples(), group(make)
    found = measure("distances", models, x, labels)
    for k in range(3):
        with torch.no_grad():
            f = network(models, k).features(x.double()).numpy()
        for i in range(12):
            cosines = [f[i] @ f[j] / np.sqrt(f[i] @ f[i] * (f[j] @ f[j])) for j in range(12)]
            expected = 1 - max(cosines[:i] + cosines[i + 1 :])
            assert found[k, i] == pytest.approx(expected, rel=1e-3, abs=1e-7)


def test_distances_of_twins_of_near_neighbours_and_of_silent_examples():
    f = torch.tensor([[1.0, 0.0], [3.0, 0.0], [1.0, 1e-3], [0.0, 0.0], [0.0, 0.0], [-1.0, 0.0]])
    expected = [0.0, 0.0, 5e-7, 1.0, 1.0, 1.0]  # 1 - cos(1e-3) = 5e-7
    np.testing.assert_allclose(distances.nearest(f).numpy(), expected, rtol=1e-4)


def test_distances_need_features_and_another_example():
    plain = ensemble.Ensemble.from_networks([nn.Linear(4, 2)], CPU)
    with pytest.raises(ValueError, match=r"network Linear has no features\(x\)"):
        measure("distances", plain, torch.zeros(3, 4), np.zeros(3, int))
    with pytest.raises(ValueError, match="nearest other example of 1 "):
        measure("distances", group(), *examples(1))


def test_features_of_an_ensemble_are_those_of_its_networks():
    for make in MAKERS:
        models, (x, _) = group(make), examples(5)
        found = models.features().answer(x)
        assert models.features().part(slice(1, 2)).models == 1
        for k in range(3):
            expected = network(models, k).features(x.double()).flatten(1)
            torch.testing.assert_close(found[k].double(), expected, rtol=1e-4, atol=1e-5)


def test_phi_is_the_log_odds_and_its_gradient_is_finite():
    z = torch.tensor([[800.0, -800.0, 0.0], [1.0, 2.0, 3.0]], dtype=torch.float64)
    z.requires_grad_()
    found = confidence.phi(z, torch.tensor([1, 2]))
    expected = [-800 - 800, 3 - np.log(np.exp(1) + np.exp(2))]
    np.testing.assert_allclose(found.detach().numpy(), expected)
    (slope,) = torch.autograd.grad(found.sum(), z)
    np.testing.assert_allclose(slope[0].numpy(), [-1, 1, 0], atol=1e-12)


def test_tokens_are_what_a_single_network_says_of_each_and_of_all_that_might_stand_there():
    (x, labels), models = windows(4), group("words")
    for tensor in models.parameters.values():
        tensor.data.mul_(4)  # laws far from equal
    found = measure("tokens", models, x, labels)
    for k in range(3):
        laws = network(models, k).log_laws(x.double()).detach().numpy()
        for i, t in np.ndindex(4, 9):
            law, own = laws[i, t], laws[i, t, int(x[i, t])]
            assert np.exp(law).sum() == pytest.approx(1)
            mean = sum(np.exp(one) * one for one in law)
            variance = sum(np.exp(one) * (one - mean) ** 2 for one in law)
            expected = [own, mean, np.sqrt(variance)]
            assert found[k, i, t] == pytest.approx(expected, rel=1e-4, abs=1e-5)
    phi = signals_phi(models, x)
    np.testing.assert_allclose(-np.log1p(np.exp(-phi)), found[..., 0].mean(-1), rtol=1e-4)


def signals_phi(models, x):
    """phi (K, N) as the signals hold it: of the mean log-probability of the tokens."""
    return confidence.phi(models.answer(x).double(), torch.zeros(len(x), dtype=torch.long)).numpy()


def test_a_network_that_reads_no_text_has_no_tokens():
    with pytest.raises(ValueError, match=r"network \w+ has no token_statistics\(x\)"):
        measure("tokens", group("mlp"), *examples(3))
