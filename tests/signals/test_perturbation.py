"""Perturbed points: in their ball, never worse than the example, against slow single networks."""

import copy

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from miatlas.signals import perturbation
from miatlas.training import ensemble
from miatlas.training.architectures import cnn, mlp, wide_resnet

MAKERS = {
    "mlp": lambda: mlp.build((1, 8, 8), 5, widths=[16]),
    "cnn": lambda: cnn.build((1, 8, 8), 5, filters=4),
    "normalised": lambda: wide_resnet.build((1, 8, 8), 5, depth=10, width=1),
}
RADIUS = 0.3

pytestmark = pytest.mark.usefixtures("one_thread")


def world(make="mlp", models=6, n=10):
    """Models in training mode, examples, labels, and masks of k IN and k OUT models of each."""
    group = ensemble.build(MAKERS[make], list(range(models)), torch.device("cpu"))
    group.network.train()
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(n, 1, 8, 8, generator=generator), torch.arange(n) % 5
    rank = torch.rand(models, n, generator=generator).argsort(0).argsort(0)
    return group, x, y, rank < 2, rank > models - 3


def slowly(group, x, y, refs_in, refs_out):
    """Mean IN loss - mean OUT loss of each example, one network and one example after the other."""
    values = []
    for i in range(len(x)):
        losses = []
        for k in range(group.models):
            single = copy.deepcopy(group.network)
            single.load_state_dict({name: t[k] for name, t in group.weights().items()})
            logits = single.double().eval()(x[i].double()[None])
            losses.append(cross_entropy(logits, y[i : i + 1]))
        losses = torch.stack(losses)
        values.append(losses[refs_in[:, i]].mean() - losses[refs_out[:, i]].mean())
    return torch.stack(values)


@pytest.mark.parametrize("make", MAKERS)
def test_the_objective_and_its_gradient_are_those_of_single_networks(make):
    group, x, y, refs_in, refs_out = world(make, n=4)
    weights = perturbation.weighed(refs_in, refs_out)
    value, gradient = perturbation.objective([group], x, y, weights)
    here = x.double().requires_grad_()
    expected = slowly(group, here, y, refs_in, refs_out)
    expected.sum().backward()
    torch.testing.assert_close(value, expected.float().detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient, here.grad.float(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("steps", [1, 8])
def test_points_stay_in_their_ball_and_none_is_worse_than_its_example(make, steps):
    group, x, y, refs_in, refs_out = world(make)
    weights = perturbation.weighed(refs_in, refs_out)
    near = perturbation.perturb([group], x, y, weights, radius=RADIUS, steps=steps)
    assert (near - x).abs().max() <= RADIUS * (1 + 1e-5)
    before, after = (slowly(group, point, y, refs_in, refs_out) for point in (x, near))
    assert (after <= before + 1e-5).all()
    assert after.mean() < before.mean() - 0.01


def test_more_room_and_more_steps_lower_it_further():
    group, x, y, refs_in, refs_out = world()
    weights = perturbation.weighed(refs_in, refs_out)

    def lowest(radius, steps):
        near = perturbation.perturb([group], x, y, weights, radius=radius, steps=steps)
        return slowly(group, near, y, refs_in, refs_out).mean()

    assert lowest(1.0, 10) < lowest(0.3, 10) < lowest(0.05, 10)
    assert lowest(0.3, 10) <= lowest(0.3, 1)


def test_of_linear_models_the_best_corner_of_the_ball_is_found():
    """The loss of a linear model against itself, IN alone: it falls along one sign everywhere."""
    group = ensemble.build(lambda: mlp.build((6,), 2, widths=[]), [0, 1], torch.device("cpu"))
    linear = next(t for t in group.parameters.values() if t.dim() == 3)
    with torch.no_grad():
        linear[1] = 0.0
    x, y = torch.randn(5, 6, generator=torch.Generator().manual_seed(2)), torch.zeros(5).long()
    weights = torch.tensor([[1.0], [-1.0]]).expand(2, 5)
    near = perturbation.perturb([group], x, y, weights, radius=0.2, steps=10)
    corner = x + 0.2 * (linear[0, 0] - linear[0, 1]).sign()
    torch.testing.assert_close(near, corner.detach())


def test_neither_slices_nor_stacks_nor_other_examples_matter(monkeypatch):
    group, x, y, refs_in, refs_out = world()
    weights = perturbation.weighed(refs_in, refs_out)
    keys = {"radius": RADIUS, "steps": 4}
    whole = perturbation.perturb([group], x, y, weights, **keys)
    singles = [group.part(slice(k, k + 1)) for k in range(6)]
    alone = perturbation.perturb(singles, x, y, weights, **keys)
    some = perturbation.perturb([group], x[3:6], y[3:6], weights[:, 3:6], **keys)
    monkeypatch.setitem(ensemble.AT_ONCE, "cpu", 6 * 64 * 3)
    sliced = perturbation.perturb([group], x, y, weights, **keys)
    for other, expected in ((alone, whole), (sliced, whole), (some, whole[3:6])):
        torch.testing.assert_close(other, expected, rtol=0, atol=1e-5)
    assert group.network.training is False


def test_models_are_asked_at_the_points_as_single_networks_are():
    group, x, y, *_ = world("cnn")
    found = perturbation.answered([group.part(slice(0, 2)), group.part(slice(2, 6))], x, y)
    logits = group.answer(x).double()
    true = logits[:, torch.arange(len(x)), y]
    others = logits.masked_fill(torch.eye(5, dtype=torch.bool)[y], -torch.inf).logsumexp(-1)
    np.testing.assert_allclose(found, true - others, rtol=1e-5, atol=1e-5)
