"""DP-SGD against loops, closed forms and Opacus: gradients, noise, batches, and what ε is."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from test_training import CLASSES, MAKERS, PLAIN, SHAPE, data, joined, models, silent
from torch import nn
from torch.nn import functional

from miatlas.training import accounting, ensemble, objectives, private_gradients, private_steps
from miatlas.training import trainer as training
from miatlas.training.architectures import cnn, fast_resnet, resnet, wide_resnet
from miatlas.training.batches import Data
from miatlas.training.private_gradients import clipped_sums

pytestmark = pytest.mark.usefixtures("one_thread")

PRIVATE = {"clip": 0.3, "noise": 1.0, "epsilon": None, "delta": 1e-3, "accountant": "rdp"}
RECIPE = PLAIN | {"epochs": 2, "optimizer": {"name": "sgd", "lr": 0.2, "momentum": 0.5}}
SMALL = (3, 16, 16)


class Shared(nn.Module):
    """Uses one layer twice, a parameter without a layer, and a ReLU in place."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(64, 64), nn.Linear(64, CLASSES)
        self.scale = nn.Parameter(torch.ones(64))

    def forward(self, x):
        x = functional.relu_(self.layer(x.flatten(1)))
        return self.head(self.scale * self.layer(x))


class InPlace(nn.Module):
    """Known layers only, whose outputs are changed in place."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.mix = nn.Conv2d(8, 8, 3, padding=1, groups=2, bias=False)
        self.norm, self.head = nn.GroupNorm(2, 8), nn.Linear(8, CLASSES)

    def forward(self, x):
        x = functional.relu_(self.norm(self.conv(x)))
        y = self.mix(x)
        y += x
        return self.head(functional.relu_(y).flatten(2).mT.contiguous()).mean(1)


NETWORKS = {
    **{name: (make, SHAPE) for name, make in MAKERS.items()},
    "shared": (Shared, SHAPE),
    "in place": (InPlace, SHAPE),
    "cnn with norms": (
        partial(cnn.build, SHAPE, CLASSES, filters=8, layout="carlini2022", norm="group"), SHAPE,
    ),
    "wide_resnet": (
        partial(wide_resnet.build, SMALL, CLASSES, depth=10, width=1, norm="group"), SMALL,
    ),
    "fast_resnet": (
        partial(fast_resnet.build, SMALL, CLASSES, widths=[24, 24, 24], norm="group"), SMALL,
    ),
}  # fmt: skip


def train(numbers, privacy=PRIVATE, at_once=64, make="mlp", on=None, **changes):
    recipe = RECIPE | changes | {"privacy": privacy}
    given = (MAKERS.get(make, make), recipe, on or data(test=20))
    return training.train(*given, models(numbers, sizes=(40, 33)), 40, at_once, silent)


def loss(logits, y):
    return objectives.each_cross_entropy(logits, y, 0.1)


def example_gradients(network, x, y):
    """Return each example's gradients by name, one backward pass each, and their norms."""
    rows = []
    for one, label in zip(x, y, strict=True):
        network.zero_grad()
        functional.cross_entropy(network(one[None]), label[None], label_smoothing=0.1).backward()
        rows.append({name: p.grad.clone() for name, p in network.named_parameters()})
    stacked = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
    norms = sum(g.flatten(1).square().sum(1) for g in stacked.values()).sqrt()
    return stacked, norms


# Gradients -----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["as it comes", "not stacked", "differentiated"])
@pytest.mark.parametrize("name", NETWORKS)
def test_clipped_sums_are_those_of_a_loop_over_examples(name, way, monkeypatch):
    build, shape = NETWORKS[name]
    make = lambda: build().double()  # noqa: E731 (norms of few numbers amplify rounding)
    group = ensemble.build(make, [1, 2], torch.device("cpu"))
    x, there = torch.randn(2, 9, *shape).double(), torch.rand(2, 9) < 0.8
    y = torch.randint(CLASSES, (2, 9))
    if way != "as it comes":
        group.layers = None
    if way == "differentiated":
        monkeypatch.setattr(private_gradients.recorded_layers, "gradients", lambda *_: None)
    monkeypatch.setattr(
        private_gradients, "PIECE", 4 * sum(p[0].numel() for p in group.parameters.values())
    )
    for k in range(2):
        network = make()
        network.load_state_dict({n: t[k] for n, t in group.weights().items()}, strict=False)
        gradients, norms = example_gradients(network, x[k], y[k])
        limit = float(norms.median())
        scale = (limit / norms).clamp(max=1) * there[k]
        assert 0 < (scale < 1).sum() < 9
        sums, losses, logits = clipped_sums(group, x, y, there, limit, loss)
        for n, expected in gradients.items():
            expected = torch.tensordot(scale, expected, 1)
            torch.testing.assert_close(sums[n][k], expected, rtol=1e-7, atol=1e-9)
        torch.testing.assert_close(logits[k], network(x[k]).detach())
        torch.testing.assert_close(losses[k], loss(logits[k][None], y[k][None])[0])


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - {"fast_resnet"}))  # it amplifies rounding
def test_sums_in_bfloat16_are_those_of_a_plain_step_and_clipped_in_full(name):
    build, shape = NETWORKS[name]
    group, network = ensemble.build(build, [1], torch.device("cpu")), build()
    network.load_state_dict({n: t[0] for n, t in group.weights().items()}, strict=False)
    x, y = torch.randn(1, 9, *shape), torch.randint(CLASSES, (1, 9))
    there = torch.ones(1, 9, dtype=torch.bool)
    with torch.autocast("cpu", torch.bfloat16):
        loss(network(x[0]).float()[None], y).sum().backward()
        sums, *told = clipped_sums(group, x, y, there, None, loss)
        clipped, *_ = clipped_sums(group, x, y, there, 1e-3, loss)
    assert {t.dtype for t in (*sums.values(), *clipped.values(), *told)} == {torch.float32}
    for n, parameter in network.named_parameters():
        assert (sums[n][0] - parameter.grad).norm() <= 0.1 * parameter.grad.norm()
    squares = sum(float(total.square().sum()) for total in clipped.values())
    assert squares**0.5 <= 9e-3 * (1 + 1e-5)


def test_bfloat16_and_privacy_train_the_same_models_but_for_rounding():
    (short, history), (whole, _) = (
        train([0, 1], make="cnn", precision=precision) for precision in ("bfloat16", "float32")
    )
    assert history[-1]["epsilon"] > 0
    for name, tensor in whole.items():
        assert 0 < (short[name] - tensor).norm() < 0.05 * tensor.norm()


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("cnn", True),
        ("in place", True),
        ("wide_resnet", True),
        ("cnn with norms", True),
        ("shared", False),
    ],
)
def test_networks_of_known_layers_take_one_backward_pass(name, known):
    make, shape = NETWORKS[name]
    group = ensemble.build(make, [1], torch.device("cpu"))
    state = {n: t[0] for n, t in group.weights().items()}
    x, y = torch.randn(3, *shape), torch.randint(CLASSES, (3,))
    found = private_gradients.recorded_layers.gradients(group, state, x, y, loss)
    assert (found is not None) == known


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("at_once", [2, 1])
def test_without_clipping_and_noise_it_is_plain_sgd_on_the_same_batches(make, at_once):
    on, own = data(test=20), models([0, 1], sizes=(40, 33))
    weights, _ = train([0, 1], PRIVATE | {"clip": None, "noise": 0.0}, at_once, make, on)
    batches = private_steps.PoissonBatches(own, RECIPE, on, 40)
    networks = [training_network(make, model) for model in own]
    tools = [torch.optim.SGD(n.parameters(), lr=0.2, momentum=0.5) for n in networks]
    for _ in range(2):
        for x, y, there in batches.epoch():
            for k, (network, tool) in enumerate(zip(networks, tools, strict=True)):
                tool.zero_grad()
                logits = network(x[k][there[k]])
                total = functional.cross_entropy(logits, y[k][there[k]], reduction="sum")
                (total / 16).backward()
                tool.step()
    for k, network in enumerate(networks):
        for name, tensor in network.state_dict().items():
            torch.testing.assert_close(weights[name][k], tensor, rtol=1e-4, atol=1e-5)


def training_network(make, model):
    torch.manual_seed(model.weights_seed)
    return MAKERS[make]()


# Blocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
def test_blocks_and_stacks_make_the_same_private_models(make):
    moves = {"augmentation": {"name": "mirror_shift", "shift": 1}, "ema": 0.9}
    whole, history = train([0, 1, 2, 3], make=make, **moves)
    parts = [train(numbers, at_once=s, make=make, **moves) for numbers, s in
             (([0], 2), ([1, 2], 1), ([3], 1))]  # fmt: skip
    for name, tensor in joined(*(weights for weights, _ in parts)).items():
        torch.testing.assert_close(whole[name], tensor, rtol=1e-4, atol=1e-5)
    rows = [row for _, rows in parts for row in rows if "epsilon" in row]
    kept = [row for row in history if "epsilon" in row]
    assert [row["epsilon"] for row in rows] == [row["epsilon"] for row in kept]
    assert len(rows) == 4


def test_private_models_differ_by_their_noise():
    same, _ = train([0])
    again, _ = train([0])
    quiet, _ = train([0], PRIVATE | {"noise": 0.0})
    for name, tensor in same.items():
        assert torch.equal(tensor, again[name])
        assert not torch.allclose(tensor, quiet[name], atol=1e-3)


# Batches and noise ---------------------------------------------------------------------------


def test_every_example_is_drawn_by_a_coin_of_its_own():
    on, own = data(), models([0, 1], sizes=(40, 33))
    batches = private_steps.PoissonBatches(own, RECIPE | {"batch_size": 4}, on, 40)
    steps, counts, seen = 0, [], np.zeros(2)
    for _ in range(200):
        for x, y, there in batches.epoch():
            assert x.shape[:2] == y.shape == there.shape
            counts.append(there.sum(1).numpy())
            steps += 1
        seen += batches.seen.numpy()
    counts = np.array(counts)
    assert (seen == counts.sum(0)).all()
    for k, n in enumerate((40, 33)):
        rate = 4 / n  # of a model's own number of examples
        mean, variance = counts[:, k].mean(), counts[:, k].var(ddof=1)
        expected = n * rate * (1 - rate)
        assert abs(mean - 4) < 4.5 * math.sqrt(expected / steps)
        assert abs(variance / expected - 1) < 4.5 * math.sqrt(2.3 / steps)
    assert (counts == 0).any()  # an empty batch is a step, too


def test_the_noise_has_its_deviation_and_is_white():
    on, own = data(), models([0, 1, 2])
    privacy = PRIVATE | {"clip": 0.5, "noise": 3.0}
    batches = private_steps.PoissonBatches(own, RECIPE, on, 40)
    steps = private_steps.PrivateSteps(privacy, own, batches, 10)
    group = ensemble.build(MAKERS["mlp"], [1, 2, 3], torch.device("cpu"))
    draws = [steps._noise(group) for _ in range(40)]
    flat = torch.stack([torch.cat([d[n].flatten(1) for n in group.parameters], 1) for d in draws])
    n = flat[:, 0].numel()
    for k in range(3):
        assert abs(flat[:, k].std().item() / 1.5 - 1) < 4.5 / math.sqrt(2 * n)
        assert abs(flat[:, k].mean().item()) < 4.5 * 1.5 / math.sqrt(n)
    pairs = torch.corrcoef(torch.cat([flat[:, k].reshape(1, -1) for k in range(3)]))
    steps_apart = torch.corrcoef(flat[:, 0])
    for matrix, count in ((pairs, n), (steps_apart, flat.shape[2])):
        assert (matrix - torch.eye(len(matrix))).abs().max() < 5 / math.sqrt(count)


DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
    ),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("make", MAKERS)
def test_the_noise_is_drawn_on_the_device_and_is_the_same_in_any_stack(make, device):
    on = Data(**{n: t if t is None else t.to(device) for n, t in vars(data()).items()})

    def drawn(numbers):
        own = models(numbers)
        batches = private_steps.PoissonBatches(own, RECIPE, on, 40)
        steps = private_steps.PrivateSteps(PRIVATE, own, batches, 10)
        assert {generator.device.type for generator in steps.generators} == {device}
        group = ensemble.build(MAKERS[make], numbers, torch.device(device))
        return [steps._noise(group) for _ in range(3)]

    whole = drawn([0, 1, 2, 3, 4])
    for numbers in ([2], [3, 4], [4, 2]):
        for step, parts in zip(whole, drawn(numbers), strict=True):
            for name, noise in parts.items():
                assert noise.device.type == device
                assert torch.equal(noise, step[name][numbers])


def test_a_step_is_the_noisy_mean_by_the_nominal_batch():
    on, own = data(), models([0])
    batches = private_steps.PoissonBatches(own, RECIPE, on, 40)
    steps = private_steps.PrivateSteps(PRIVATE, own, batches, 10)
    again = private_steps.PrivateSteps(PRIVATE, own, batches, 10)
    group = ensemble.build(MAKERS["mlp"], [1], torch.device("cpu"))
    before = {n: t.clone() for n, t in group.weights().items()}
    optimizer = training.OPTIMIZERS["sgd"](list(group.parameters.values()), lr=1.0, momentum=0.0)
    batch = next(iter(batches.epoch()))
    sums, _, _ = clipped_sums(group, *batch, 0.3, loss)
    noise = again._noise(group)
    steps(group, optimizer, *batch, loss=loss, precision="float32")
    for name, tensor in group.weights().items():
        expected = before[name] - (sums[name] + noise[name]) / 16
        torch.testing.assert_close(tensor, expected, rtol=1e-5, atol=1e-6)


def test_an_empty_batch_is_a_step_of_noise():
    group = ensemble.build(MAKERS["cnn"], [1], torch.device("cpu"))
    x, y = torch.randn(1, 1, *SHAPE), torch.zeros(1, 1, dtype=torch.int64)
    sums, _, _ = clipped_sums(group, x, y, torch.zeros(1, 1, dtype=bool), 1.0, loss)
    assert all((total == 0).all() for total in sums.values())


# What ε is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("noise", "rate", "steps", "published"),
    [
        # TensorFlow Privacy's tutorial: MNIST, batches of 256 of 60,000, 60 epochs and 30.
        (1.1, 256 / 60000, 60 * 60000 // 256, 3.01),
        (0.6, 256 / 60000, 30 * 60000 // 256, 9.74),
        # Abadi et al. 2016, §5.2: q = 0.01, σ = 4, T = 10,000, by the moments accountant.
        (4.0, 0.01, 10_000, 1.26),
    ],
)
def test_epsilon_is_the_accountants_and_near_published_values(noise, rate, steps, published):
    """All at δ = 1e-5. Published is what moments gave before their conversion was tightened."""
    from opacus.accountants import RDPAccountant
    from opacus.accountants.analysis.rdp import compute_rdp

    accountant = RDPAccountant()
    for _ in range(steps):
        accountant.step(noise_multiplier=noise, sample_rate=rate)
    found = accounting.epsilon(noise, rate, steps, 1e-5)
    assert found == pytest.approx(accountant.get_epsilon(1e-5), rel=1e-9)
    orders = np.array(RDPAccountant.DEFAULT_ALPHAS)
    moments = compute_rdp(q=rate, noise_multiplier=noise, steps=steps, orders=orders)
    assert min(moments - math.log(1e-5) / (orders - 1)) == pytest.approx(published, rel=0.005)
    assert 0.8 * published < found < published
    assert accounting.epsilon(noise, rate, steps, 1e-5, "prv") < found


@pytest.mark.parametrize("accountant", ["rdp", "prv"])
@pytest.mark.parametrize("target", [0.5, 2.0, 50.0])
def test_noise_is_found_for_an_epsilon(accountant, target):
    noise = accounting.noise_for(target, 0.1, 100, 1e-4, accountant)
    assert target * 0.98 <= accounting.epsilon(noise, 0.1, 100, 1e-4, accountant) <= target


def test_every_model_has_the_noise_that_its_own_size_needs():
    privacy = PRIVATE | {"noise": None, "epsilon": 3.0}
    _, history = train([0, 1], privacy)
    rows = [row for row in history if "epsilon" in row]
    assert [row["epoch"] for row in rows] == [2, 2]
    assert rows[0]["noise"] < rows[1]["noise"]  # 40 examples, 33 examples
    for row, n in zip(rows, (40, 33), strict=True):
        assert 2.9 < row["epsilon"] <= 3.0
        assert row["epsilon"] == accounting.epsilon(row["noise"], 16 / n, 6, 1e-3)
        assert (row["delta"], row["clip"], row["accountant"]) == (1e-3, 0.3, "rdp")


def test_clipping_alone_has_no_epsilon():
    _, history = train([0], PRIVATE | {"noise": 0.0})
    assert history[-1]["epsilon"] == math.inf


# What is refused -----------------------------------------------------------------------------


def test_batch_norms_of_any_network_are_refused_by_name():
    make = partial(wide_resnet.build, SHAPE, CLASSES, depth=10, width=1)
    with pytest.raises(ValueError, match=r"batch norms \(body.1.norm1\)"):
        train([0], make=make)


def test_a_delta_that_allows_everything_is_warned_of(capfd):
    train([0], PRIVATE | {"delta": 0.03})
    assert "not below 1 / 40 training examples" in capfd.readouterr().err
    train([0])
    assert not capfd.readouterr().err


@pytest.mark.slow
def test_private_resnets_train():
    make = partial(resnet.build, SMALL, CLASSES, norm="group")
    on = data()
    on.x = functional.interpolate(on.x, (16, 16)).repeat(1, 3, 1, 1)
    weights, history = train([0], make=make, on=on)
    assert all(torch.isfinite(t).all() for t in weights.values())
    assert math.isfinite(history[-1]["epsilon"])
