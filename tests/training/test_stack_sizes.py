"""Stacks are as large as a cache or a GPU's memory holds, and smaller where they do not fit."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from miatlas.training import ensemble, stack_sizes, trainer
from miatlas.training.architectures import cnn, fast_resnet, mlp
from miatlas.training.batches import Data, Model

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = {
    "epochs": 2, "batch_size": 32, "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
    "schedule": {"name": "constant"}, "augmentation": {"name": "none"}, "label_smoothing": 0.0,
    "gradient_clip": None, "ema": None, "early_stopping": None, "precision": "float32",
    "engine": "auto", "privacy": None,
}  # fmt: skip
SHAPE, CLASSES = (1, 8, 8), 10
MAKE = partial(mlp.build, SHAPE, CLASSES)


def size(architecture, shape=SHAPE, models=64, x=None, options=None, **changes):
    make = partial(architecture.build, shape, CLASSES, **(options or {}))
    x = torch.randn(600, *shape) if x is None else x
    return stack_sizes.stack_size(architecture, make, RECIPE | changes, x, models)


class Drawing:
    STACKABLE, __name__ = False, "drawing"


def test_engines_that_are_named_are_taken():
    assert size(cnn, engine="stacked") == 64
    assert size(mlp, engine="one_by_one") == 1
    assert stack_sizes.stack_size(Drawing(), MAKE, RECIPE, torch.zeros(9, *SHAPE), 64) == 1
    assert size(mlp, epochs=None) == 1  # it trains itself
    with pytest.raises(ValueError, match="drawing cannot be stacked; use one_by_one"):
        stack_sizes.stack_size(
            Drawing(), MAKE, RECIPE | {"engine": "stacked"}, torch.zeros(9, *SHAPE), 64
        )


def test_small_networks_are_stacked_on_a_cpu_and_large_ones_are_not():
    assert size(mlp) > 30
    assert size(mlp, models=5) == 5
    assert 9 <= size(mlp, (446,), batch_size=64) <= 32  # Location30
    assert size(cnn, options={"filters": 16, "stages": 2}) >= 30
    assert size(mlp, (3, 32, 32), batch_size=128) == 2
    assert size(cnn, (3, 32, 32)) == 1


def test_what_a_step_keeps_is_counted_on_its_network_and_precision():
    x = torch.randn(2, 5)
    network = partial(mlp.build, (5,), 3, widths=[7])
    beside, of_one = stack_sizes.counted(network, RECIPE, x)
    # the input, what the ReLU answers, log-probabilities and label
    assert of_one == 4 * (5 + 7 + 3) + 8
    assert beside < 16
    wide = partial(mlp.build, (5,), 3, widths=[70])
    assert stack_sizes.counted(wide, RECIPE, x)[1] - of_one == 4 * 63


def test_counting_draws_nothing_and_changes_no_example():
    torch.manual_seed(3)
    state, x = torch.get_rng_state(), torch.randn(4, 3, 16, 16, generator=torch.Generator())
    before = x.clone()
    stack_sizes.counted(partial(fast_resnet.build, (3, 16, 16), 10, widths=[24, 8, 8]), RECIPE, x)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(x, before)


class OnGpu:
    """Examples that say they are on a GPU."""

    device = torch.device("cuda", 0)

    def __init__(self, x):
        self.x = x

    def __len__(self):
        return len(self.x)

    def __getitem__(self, where):
        return self.x[where]


@pytest.mark.parametrize(
    ("changes", "copies"),
    [({}, 5), ({"optimizer": {"name": "adam"}, "ema": 0.9}, 7), ({"early_stopping": 3}, 6)],
)
def test_a_gpu_takes_as_many_as_its_free_memory_holds(monkeypatch, changes, copies):
    x = OnGpu(torch.randn(600, *SHAPE))
    weights = 64 * 128 + 128 + 128 * 10 + 10
    step = 32 * (4 * (64 + 128 + 10) + 8)
    for models in (3, 20):
        needed = models * (4 * copies * weights + step + 2)
        monkeypatch.setattr(stack_sizes, "free", lambda _, n=needed: 1.001 * n / stack_sizes.SHARE)
        assert size(mlp, x=x, **changes) == models
    monkeypatch.setattr(stack_sizes, "free", lambda _: 1000)
    assert size(mlp, x=x) == 1


def test_64_fast_models_fit_a_card_in_turn_and_not_as_a_stack(monkeypatch):
    monkeypatch.setattr(stack_sizes, "free", lambda _: 60 * 10**9)
    x = OnGpu(torch.randn(600, 3, 32, 32))
    how = {"x": x, "batch_size": 500, "precision": "bfloat16"}
    assert size(fast_resnet, (3, 32, 32), **how) == 64
    monkeypatch.setattr(stack_sizes, "in_turn", lambda *_: False)
    assert 40 < size(fast_resnet, (3, 32, 32), **how) < 64


@pytest.mark.parametrize(
    ("models", "at_once", "sizes"),
    [(32, 10, [8, 8, 8, 8]), (5, 2, [1, 2, 2]), (3, 64, [3]), (4, 1, [1] * 4), (7, 7, [7])],
)
def test_groups_are_few_and_alike(models, at_once, sizes):
    groups = trainer.groups(list(range(models)), at_once)
    assert list(map(len, groups)) == sizes
    assert [model for group in groups for model in group] == list(range(models))


def learned(at_once, count=6):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (80,), generator=generator)
    none = torch.empty(0, dtype=torch.long)
    data = Data(torch.randn(80, *SHAPE, generator=generator), labels, none, none)
    models = [Model(m, np.arange(m, 40 + m), m, m, m) for m in range(count)]
    return trainer.train(MAKE, RECIPE, data, models, 40, at_once, lambda *_: None)


def test_the_history_says_how_many_models_were_one_stack():
    weights, history = learned(4)
    assert [row["stack"] for row in history] == [3] * len(history)
    alone, rows = learned(1)
    assert {row["stack"] for row in rows} == {1}
    for name in weights:
        torch.testing.assert_close(weights[name], alone[name])


def test_a_stack_that_does_not_fit_is_halved_once_and_said_so(monkeypatch, capsys):
    fitting, asked = 3, []
    build = ensemble.build

    def small_card(make, seeds, device):
        asked.append(len(seeds))
        if len(seeds) > fitting:
            raise torch.OutOfMemoryError("no memory")
        return build(make, seeds, device)

    monkeypatch.setattr(ensemble, "build", small_card)
    expected, _ = learned(2)
    asked.clear()
    weights, history = learned(6)
    assert asked == [6, 3, 3]
    assert {row["stack"] for row in history} == {3}
    assert "a stack of 6 models does not fit into memory: half of it" in capsys.readouterr().out
    for name in weights:
        torch.testing.assert_close(weights[name], expected[name])
    for fitting in (1, 0):
        with pytest.raises(torch.OutOfMemoryError):
            learned(6 if fitting else 1)


def test_stackable_networks_of_ones_own_are_counted_too():
    class Doubled(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, CLASSES)

        def forward(self, x):
            return self.layer(x * 2)

    beside, of_one = stack_sizes.counted(Doubled, RECIPE, torch.randn(2, 4))
    assert of_one >= 4 * (4 + CLASSES)
    assert beside >= 0
