"""Schedules in closed form, optimisers as torch's own, on stacked parameters as on single ones."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from miatlas.training import optimization
from miatlas.training.optimization import OPTIMIZERS, SCHEDULES

SHARE = st.floats(0, 1)
CLASSES = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


pytestmark = pytest.mark.usefixtures("one_thread")


@given(SHARE, st.floats(0, 0.9))
def test_schedules_lie_between_zero_and_one(progress, warmup):
    for schedule in SCHEDULES.values():
        assert 0 <= schedule(progress, warmup=warmup) <= 1


@given(SHARE, st.floats(0.01, 1))
def test_warm_up_is_linear(progress, warmup):
    if progress < warmup:
        for schedule in SCHEDULES.values():
            shifts = schedule in (optimization.constant, optimization.cosine)
            full = 1.0 if shifts else schedule(progress)
            assert schedule(progress, warmup=warmup) == pytest.approx(full * progress / warmup)


@pytest.mark.parametrize(
    ("progress", "warmup", "expected"),
    [(0, 0, 1), (0.5, 0, 0.5), (1, 0, 0), (1 / 3, 0, 0.75), (2 / 3, 0, 0.25),
     (0.2, 0.2, 1), (0.6, 0.2, 0.5), (1, 0.2, 0), (0.1, 0.2, 0.5), (1, 1, 0.5 * 2)],
)  # fmt: skip
def test_cosine(progress, warmup, expected):
    assert optimization.cosine(progress, warmup=warmup) == pytest.approx(expected, abs=1e-12)


@given(SHARE, SHARE)
def test_cosine_falls(one, other):
    low, high = sorted((one, other))
    assert optimization.cosine(high) <= optimization.cosine(low)
    assert optimization.cosine(low) == pytest.approx((1 + math.cos(math.pi * low)) / 2)


@pytest.mark.parametrize("steps", [4, 10, 100])
def test_a_milestone_is_reached_with_the_step_that_begins_there(steps):
    rates = [optimization.step((s + 0.5) / steps, milestones=[0.5]) for s in range(steps)]
    assert rates == [1] * (steps // 2) + [0.1] * (steps - steps // 2)
    twice = optimization.step(0.8, milestones=[0.5, 0.75], gamma=0.2)
    assert twice == pytest.approx(0.04)


def assert_alike(ours, theirs):
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["_fused_sgd_", "_fused_adam_"])
def test_torch_has_the_kernels_that_its_own_fused_optimisers_call(name):
    """Their names are private: where they are gone, `optimization` needs others."""
    assert callable(getattr(torch, name))
    assert "Tensor" in str(getattr(torch.ops.aten, name).default._schema)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_stacked_parameters_move_as_single_ones(name, weight_decay):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(3, 4, 5, generator=generator)
    gradients = torch.randn(6, 3, 4, 5, generator=generator)
    more = {"momentum": 0.9, "nesterov": True} if name == "sgd" else {}
    options = {"lr": 0.05, "weight_decay": weight_decay, **more}
    stacked = start.clone().requires_grad_()
    together = OPTIMIZERS[name]([stacked], **options)
    for gradient in gradients:
        stacked.grad = gradient.clone()
        together.step()
    for k in range(3):
        single = start[k].clone().requires_grad_()
        alone = CLASSES[name]([single], **options)
        for gradient in gradients:
            single.grad = gradient[k].clone()
            alone.step()
        torch.testing.assert_close(stacked[k], single, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sgd", {"momentum": 0.0}), ("sgd", {"momentum": 0.0, "weight_decay": 0.1}),
        ("sgd", {"momentum": 0.9}), ("sgd", {"momentum": 0.9, "weight_decay": 5e-4}),
        ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}),
        ("adam", {}), ("adam", {"weight_decay": 0.01}), ("adamw", {}),
        ("adamw", {"weight_decay": 0.0}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_weights_move_as_torch_moves_them(name, options, layout):
    generator = torch.Generator().manual_seed(1)
    shapes = [(7, 3, 3, 3), (5, 4, 2, 2)]
    draw = lambda: [torch.randn(s, generator=generator) for s in shapes]  # noqa: E731
    ours = [w.requires_grad_() for w in draw()]
    theirs = [w.detach().clone().requires_grad_() for w in ours]
    own = OPTIMIZERS[name](ours, lr=0.01, **options)
    reference = CLASSES[name](theirs, lr=0.01, **options)
    for step in range(20):
        own.lr = reference.param_groups[0]["lr"] = 0.01 / (1 + step)
        for mine, other, gradient in zip(ours, theirs, draw(), strict=True):
            mine.grad = gradient.clone(memory_format=layout)
            other.grad = gradient.clone(memory_format=layout)
        own.step()
        reference.step()
        assert_alike(ours, theirs)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("norms", [True, False])
def test_norm_scales_and_biases_decay_if_they_are_to(name, norms):
    """As torch's, which is given two groups: stacked (2, 6) is one axis a model, (2, 6, 1) two."""
    generator = torch.Generator().manual_seed(2)
    shapes = [(2, 6, 3, 3, 3), (2, 6), (2, 4, 6), (2, 4), (2, 6, 1)]
    draw = lambda: [torch.randn(s, generator=generator) for s in shapes]  # noqa: E731
    start = draw()
    ours = [w.clone().requires_grad_() for w in start]
    theirs = [w.clone().requires_grad_() for w in start]
    vectors = {1, 3}
    decay = {"weight_decay": 0.1}
    own = OPTIMIZERS[name](ours, lr=0.01, decay_norms_and_biases=norms, **decay)
    groups = [
        {"params": [theirs[i] for i in range(5) if i not in vectors], **decay},
        {"params": [theirs[i] for i in vectors], "weight_decay": 0.1 if norms else 0.0},
    ]
    reference = CLASSES[name](groups, lr=0.01, **({"momentum": 0.9} if name == "sgd" else {}))
    for _ in range(5):
        for mine, other, gradient in zip(ours, theirs, draw(), strict=True):
            mine.grad, other.grad = gradient.clone(), gradient.clone()
        own.step()
        reference.step()
        assert_alike(ours, theirs)


def test_a_quarter_cosine_is_carlinis_schedule():
    """lr cos(7π/16 t), warmed up linearly over the first percent, which shifts nothing."""
    for t in (0.0, 0.005, 0.01, 0.3, 1.0):
        expected = math.cos(t * 7 * math.pi / (2 * 8)) * min(1, 100 * t)
        assert optimization.quarter_cosine(t, warmup=0.01) == pytest.approx(expected, abs=1e-12)
    assert optimization.quarter_cosine(1) == pytest.approx(0.19509032)
    assert optimization.quarter_cosine(1, share=1) == pytest.approx(0, abs=1e-12)


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ValueError, match="nesterov needs a momentum"):
        optimization.sgd([torch.zeros(1, requires_grad=True)], momentum=0.0, nesterov=True)


def test_gradients_are_forgotten():
    weight = torch.ones(2, requires_grad=True)
    optimizer = optimization.sgd([weight])
    weight.grad = torch.ones(2)
    optimizer.zero_grad()
    assert weight.grad is None


def test_sgd_by_hand():
    weight = torch.tensor([2.0], requires_grad=True)
    optimizer = optimization.sgd([weight], lr=0.1, momentum=0.5, weight_decay=0.5)
    for expected in (2 - 0.1 * (1 + 1), 1.8 - 0.1 * (0.5 * 2 + 1 + 0.9)):
        weight.grad = torch.ones(1)
        optimizer.step()
        assert weight.item() == pytest.approx(expected)
