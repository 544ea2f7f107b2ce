"""Copies that a GPU does not wait for, and whoever waits for a GPU.

The tests on a GPU are skipped where there is none: that nobody waits is seen there alone. Here it
is seen what is asked of torch, and in which order.
"""

import numpy as np
import pytest
import torch

from miatlas.signals import queries
from miatlas.signals.probes import noise, noisy_labels
from miatlas.training import ensemble, mixup, private_steps
from miatlas.training.architectures import mlp
from miatlas.training.batches import Data, Model
from miatlas.training.transfers import sent

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
CPU = torch.device("cpu")


class Said:
    """A tensor that writes down what it is asked for."""

    is_cuda = True

    def __init__(self, said):
        self.said = said

    def pin_memory(self):
        self.said.append("pinned")
        return self

    def to(self, device, non_blocking=False):
        self.said.append((str(device), non_blocking))
        return self

    def numpy(self):
        self.said.append("read")
        return np.zeros(1)


def test_what_is_sent_to_a_gpu_is_pinned_and_not_waited_for():
    said = []
    sent(Said(said), torch.device("cuda", 0))
    assert said == ["pinned", ("cuda:0", True)]


def test_on_a_cpu_nothing_is_copied():
    tensor = torch.arange(5)
    assert sent(tensor, CPU) is tensor


def test_answers_are_read_when_their_copy_has_been_waited_for(monkeypatch):
    said = []
    event = type("Event", (), {"record": lambda self: said.append("recorded"),
                               "synchronize": lambda self: said.append("waited")})  # fmt: skip
    monkeypatch.setattr(torch.cuda, "Event", event)
    arrays = queries._fetched({"phi": Said(said), "logits": Said(said)})
    assert said == [("cpu", True), ("cpu", True), "recorded"]
    assert arrays().keys() == {"phi", "logits"}
    assert said[3:] == ["waited", "read", "read"]


def test_the_draws_of_a_step_are_sent(monkeypatch):
    seen = []
    for module in (mixup, private_steps):
        monkeypatch.setattr(module, "sent", lambda t, device: seen.append(t.clone()) or t)
    values = torch.rand(2, 6, 3)
    mixup.Mixup([1, 2], 0.5, 4)(values, torch.zeros(2, 6, dtype=int))
    assert [t.dtype for t in seen] == [torch.float32, torch.int64] * 2
    seen.clear()
    on = Data(torch.rand(20, 1, 4, 4), torch.zeros(20, dtype=int), *[torch.empty(0)] * 2)
    own = [Model(m, np.arange(20), m, m, m) for m in range(2)]
    recipe = {"batch_size": 8, "augmentation": {"name": "mirror_shift", "shift": 1}}
    batches = private_steps.PoissonBatches(own, recipe, on, 20)
    x, _, there = next(batches.epoch())
    index, mask, *moves = seen
    assert torch.equal(mask, there)
    assert index.shape == there.shape == x.shape[:2]
    assert {tuple(t.shape) for t in moves} == {(index.numel(),), (index.numel(), 2)}


@pytest.mark.parametrize("probe", [noise, noisy_labels])
def test_a_probe_waits_for_its_answers_once(probe, monkeypatch):
    monkeypatch.setattr(noise, "AT_ONCE", 3 * 5 * 16)
    fetched, cpu = [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda t: fetched.append(t.shape) or cpu(t))
    group = ensemble.build(lambda: mlp.build((16,), 3, widths=[8]), [1, 2], CPU)
    x, labels = torch.randn(10, 16), np.arange(10) % 3
    found = probe.measure(group, x, labels, copies=5, deviations=[0.1, 1.0])
    assert fetched == [(2, 10, 2)]
    assert found.dtype == np.float32


def busy():
    """Give the GPU work for a while, once everything is there that is made at the first time."""
    torch.cuda.synchronize()
    torch.cuda._sleep(2_000_000_000)


@on_a_gpu
def test_a_gpu_at_work_is_sent_to_without_a_wait():
    tensor = torch.arange(10_000)
    sent(
        tensor, torch.device("cuda", torch.cuda.current_device())
    )  # pins memory for the first time
    busy()
    there = sent(tensor, torch.device("cuda", torch.cuda.current_device()))
    assert not torch.cuda.current_stream().query()
    assert torch.equal(there.cpu(), tensor)


@on_a_gpu
def test_answers_come_from_a_gpu_at_work_without_a_wait():
    phi = torch.rand(3, 1000, 2, device="cuda")
    queries._fetched({"phi": phi})()
    busy()
    arrays = queries._fetched({"phi": phi})
    assert not torch.cuda.current_stream().query()
    found = arrays()["phi"]
    assert torch.from_numpy(found).is_pinned()
    np.testing.assert_array_equal(found, phi.cpu().numpy())
