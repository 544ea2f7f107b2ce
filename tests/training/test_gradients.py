"""Models in turn take the steps of the stack: on a CPU plainly, on a GPU as a CUDA graph.

The tests on a GPU are skipped where there is none.
"""

from functools import partial

import numpy as np
import pytest
import torch
from test_architectures import SMALL, STACKABLE, build
from test_training import CLASSES, EVERYTHING, MAKERS, MOVES, PLAIN, SHAPE, data, models, silent
from torch import nn

from miatlas.training import gradients, trainer
from miatlas.training.architectures import cnn, fast_resnet, mlp, wide_resnet
from miatlas.training.batches import Data, Model
from miatlas.training.ensemble import Ensemble
from miatlas.training.objectives import Classes, Normal, Quantiles

pytestmark = pytest.mark.usefixtures("one_thread")
on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
FULL = EVERYTHING | {"augmentation": MOVES, "epochs": 3}


def trained(make, recipe, engine, device="cpu", numbers=range(5), on=None, at_once=None):
    """Return the stacked weights and the history of models trained by an engine."""
    on, group = on or data(test=20), models(numbers, sizes=(40, 60))
    on = Data(**{n: t if t is None else t.to(device) for n, t in vars(on).items()})
    recipe = PLAIN | recipe | {"engine": engine}
    weights, history = trainer.train(make, recipe, on, group, 40, at_once or len(group), silent)
    return {name: tensor.cpu() for name, tensor in weights.items()}, history


def assert_alike(found, expected, tolerance=1e-5):
    (weights, rows), (others, other_rows) = found, expected
    assert weights.keys() == others.keys()
    for name, tensor in others.items():
        scale = tensor.double().abs().max() + 1e-3
        difference = (weights[name].double() - tensor.double()).abs().max() / scale
        assert difference < tolerance, (name, float(difference))
    for row, other in zip(rows, other_rows, strict=True):
        assert row == pytest.approx(other, rel=1e-3, abs=0.03)


@pytest.mark.parametrize("recipe", [{}, FULL, {"mixup": 0.5}, {"optimizer": {"name": "adam"}}])
@pytest.mark.parametrize("make", list(MAKERS))
def test_models_in_turn_are_those_of_the_stack(make, recipe):
    both = [trained(MAKERS[make], recipe, engine) for engine in ("in_turn", "stacked")]
    assert_alike(*both)


def test_batch_norms_in_turn_move_as_in_a_stack():
    make = partial(wide_resnet.build, SHAPE, CLASSES, depth=10, width=1)
    both = [trained(make, {"epochs": 2}, engine) for engine in ("in_turn", "stacked")]
    assert_alike(*both, tolerance=1e-3)
    counted = [t for name, t in both[0][0].items() if "num_batches" in name]
    assert len(counted) > 5
    assert all((t == 6).all() for t in counted)  # three batches an epoch


def test_models_in_turn_do_not_depend_on_their_block():
    make = MAKERS["cnn"]
    (whole, _), *parts = (
        trained(make, FULL, "in_turn", numbers=n) for n in (range(4), [0, 1], [2, 3])
    )
    for name, tensor in whole.items():
        assert torch.equal(tensor, torch.cat([weights[name] for weights, _ in parts]))


def test_the_engine_follows_network_and_device():
    gpu, cpu = torch.device("cuda", 0), torch.device("cpu")
    small = mlp.build(SHAPE, CLASSES), cnn.build(SHAPE, CLASSES)
    assert [gradients.in_turn("auto", network, gpu) for network in small] == [False, True]
    assert [gradients.in_turn("auto", network, cpu) for network in small] == [False, False]
    assert [gradients.in_turn("in_turn", network, cpu) for network in small] == [True, True]
    assert not any(gradients.in_turn("stacked", network, gpu) for network in small)


def test_losses_and_hits_are_the_models_own():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.logits = nn.Parameter(torch.tensor([2.0, 0.0]))

        def forward(self, x):
            return self.logits.expand(len(x), 2) + 0 * x.flatten(1).sum(1, keepdim=True)

    group = Ensemble.from_networks([Constant(), Constant()], torch.device("cpu"))
    y = torch.tensor([[0, 0, 1, 1], [0, 0, 0, 0]])
    losses, right = gradients.InTurn(group, "float32", Classes(0.0))(torch.zeros(2, 4, 1), y)
    wrong, good = np.log(1 + np.exp(2)), np.log(1 + np.exp(-2))
    np.testing.assert_allclose(losses, [(wrong + good) / 2, good], rtol=1e-6)
    assert right.tolist() == [2, 4]
    share = 1 / (1 + np.exp(2))  # of the second class
    np.testing.assert_allclose(
        group.parameters["logits"].grad, [[0.5 - share, share - 0.5], [-share, share]], atol=1e-6
    )


@pytest.mark.parametrize("objective", [Normal(), Quantiles((0.5, 0.9))])
def test_laws_are_learned_in_turn_as_in_a_stack(objective):
    class Line(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x):
            return self.layer(x)

    x, y = torch.randn(2, 6, 3), torch.randn(2, 6, 1)
    found = []
    for engine in (gradients.InTurn, gradients.Together):
        torch.manual_seed(0)
        group = Ensemble.from_networks([Line(), Line()], torch.device("cpu"))
        losses, right = engine(group, "float32", objective)(x, y)
        assert right.isnan().all()  # no law is right about an example
        found.append((losses, group.parameters["layer.weight"].grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


# On a GPU -------------------------------------------------------------------------------------


@on_a_gpu
@pytest.mark.parametrize("engine", ["in_turn", "stacked"])
@pytest.mark.parametrize("recipe", [{}, FULL, {"mixup": 0.5}])
@pytest.mark.parametrize("make", list(MAKERS))
def test_a_gpu_trains_the_models_of_a_cpu(make, recipe, engine):
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    assert_alike(
        trained(MAKERS[make], recipe, engine, "cuda"), trained(MAKERS[make], recipe, engine), 1e-3
    )


@on_a_gpu
@pytest.mark.parametrize("name", STACKABLE)
def test_every_architecture_can_be_captured(name):
    shape = (3, 32, 32)
    generator = torch.Generator().manual_seed(0)
    if name == "gpt2":
        pytest.skip("reads text")
    x = torch.randn(64, *shape, generator=generator)
    none = torch.empty(0, dtype=torch.long)
    on = Data(x, torch.arange(64) % 4, none, none)
    make = partial(build, name, classes=4, **SMALL.get(name, {}))
    group = [Model(m, np.arange(48), m, m, m) for m in range(3)]
    found = []
    for engine in ("in_turn", "one_by_one"):
        there = Data(**{n: t if t is None else t.to("cuda") for n, t in vars(on).items()})
        recipe = PLAIN | {"engine": engine, "batch_size": 24}
        at_once = 3 if engine == "in_turn" else 1
        weights, _ = trainer.train(make, recipe, there, group, 48, at_once, silent)
        found.append({n: t.cpu() for n, t in weights.items()})
    for key, tensor in found[1].items():
        scale = tensor.double().abs().max() + 1e-3
        assert (found[0][key].double() - tensor.double()).abs().max() / scale < 0.02, key


@on_a_gpu
def test_bfloat16_is_captured_too():
    make = partial(fast_resnet.build, (3, 32, 32), CLASSES, widths=[24, 8, 8])
    x = torch.randn(120, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    on = Data(x, torch.arange(120) % CLASSES, torch.arange(0), torch.arange(100, 120))
    recipe = {"precision": "bfloat16", "epochs": 2}
    found = [trained(make, recipe, e, "cuda", on=on)[1] for e in ("in_turn", "stacked")]
    for row, other in zip(*found, strict=True):
        assert row["loss"] == pytest.approx(other["loss"], rel=0.05)
