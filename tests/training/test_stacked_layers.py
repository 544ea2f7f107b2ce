"""Chains of simple layers, stacked without `vmap`, against `vmap` and against single networks."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from miatlas.training import ensemble, objectives, stacked_layers
from miatlas.training.architectures import cnn, mlp
from miatlas.training.architectures.base import Network

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPE, CLASSES = (2, 3, 4), 5
MAKERS = {
    "one": partial(mlp.build, SHAPE, CLASSES, widths=[7]),
    "none": partial(mlp.build, SHAPE, CLASSES, widths=[]),
    "deep": partial(mlp.build, SHAPE, CLASSES, widths=[9, 8, 7], activation="tanh"),
    "features": partial(mlp.build, (24,), CLASSES, widths=[7]),
}


def group(make, count=3):
    return ensemble.build(make, list(range(count)), torch.device("cpu"))


def gradients(answer, parameters, y):
    """Return the logits and the gradients of the mean loss of each model."""
    leaves = {name: tensor.detach().clone().requires_grad_() for name, tensor in parameters.items()}
    logits = answer(leaves)
    objectives.cross_entropy(logits, y, 0.0).sum().backward()
    return [logits.detach(), *(leaf.grad for leaf in leaves.values())]


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("layout", ["as a batch", "models last"])
def test_chains_answer_and_learn_as_under_vmap(name, layout):
    stack = group(MAKERS[name])
    shape = (24,) if name == "features" else SHAPE
    x = torch.randn(3, 6, *shape)
    if layout == "models last":
        x = x.movedim(0, -1).contiguous().movedim(-1, 0)
    y = torch.randint(CLASSES, (3, 6))
    under = vmap(lambda p, x: functional_call(stack.network, p, (x,)))
    ours = gradients(lambda p: stacked_layers.forward(stack.layers, p, x), stack.parameters, y)
    theirs = gradients(lambda p: under(p, x), stack.parameters, y)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)
    for mine, parameter in zip(ours[1:], stack.parameters.values(), strict=True):
        assert mine.stride() == parameter.stride()  # or the optimiser would have to copy it


def test_the_first_weights_lie_as_their_product_reads_them_and_no_others():
    stack = group(MAKERS["deep"])
    first, *others = [tensor for tensor in stack.parameters.values() if tensor.dim() == 3]
    assert first.mT.is_contiguous()
    assert [tensor.is_contiguous() for tensor in [first, *others]] == [False, True, True, True]


@pytest.mark.parametrize("turned", [False, True])
def test_a_product_knows_the_gradient_of_everything(turned):
    x, weight, bias = torch.randn(2, 3, 4), torch.randn(2, 5, 4), torch.randn(2, 5)
    weight = weight.mT.contiguous().mT if turned else weight
    inputs = [tensor.double().requires_grad_() for tensor in (x, weight, bias)]
    assert torch.autograd.gradcheck(stacked_layers.Product.apply, inputs)


def test_a_product_does_not_pass_for_something_that_is_differentiated_twice():
    weight = torch.randn(2, 5, 4, requires_grad=True)
    outputs = stacked_layers.Product.apply(torch.randn(2, 3, 4), weight, torch.randn(2, 5))
    (once,) = torch.autograd.grad(outputs.square().sum(), weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        once.sum().backward()


def test_a_single_model_is_called_as_a_stack_is(monkeypatch):
    stack = group(MAKERS["deep"], 1)
    x = torch.randn(6, *SHAPE)
    state = {name: tensor[0] for name, tensor in stack.parameters.items()}
    torch.testing.assert_close(stack.answer(x)[0], functional_call(stack.network, state, (x,)))
    monkeypatch.setattr(stacked_layers, "forward", lambda *_: "a chain")
    assert stack.answer(x) == "a chain"


def test_a_stack_is_asked_one_question_as_single_networks_are():
    stack = group(MAKERS["deep"])
    x = torch.randn(6, *SHAPE)
    answers = stack.answer(x)
    for k in range(3):
        torch.testing.assert_close(stack.part(slice(k, k + 1)).answer(x)[0], answers[k])


def small(*layers):
    return lambda: Network(nn.Sequential(nn.Flatten(), *layers), SHAPE, CLASSES)


SAME, SHARED = nn.ReLU(), nn.Linear(24, 24)


@pytest.mark.parametrize(
    ("make", "layers"),
    [
        (MAKERS["deep"], ["body.0", "body.1", "body.2", "body.3", "body.4", "body.5", "body.6",
                          "head"]),
        (small(nn.Linear(24, 6), SAME, nn.Linear(6, 6), SAME),
         ["body.0", "body.1", "body.2", "body.3", "body.4", "head"]),
        (small(SHARED, SAME, SHARED), None),
        (small(nn.Linear(24, 6, bias=False)), None),
        (small(nn.LayerNorm(24)), None),
        (small(nn.Dropout(0.5)), None),
        (partial(cnn.build, (1, 8, 8), CLASSES, filters=2), None),
        (lambda: AddsItsInput(24, CLASSES), None),
    ],
)  # fmt: skip
def test_only_chains_of_known_layers_do_without_vmap(make, layers):
    chain = stacked_layers.chain(make())
    assert layers == (chain and [name for name, _ in chain])


class AddsItsInput(nn.Sequential):
    """A network that has the layers of a chain, and is none."""

    def __init__(self, before, after):
        super().__init__(nn.Linear(before, before), nn.ReLU(), nn.Linear(before, after))

    def forward(self, x):
        return self[2](x + self[1](self[0](x)))


def test_an_activation_that_is_used_twice_is_called_twice():
    make = small(nn.Linear(24, 6), SAME, nn.Linear(6, 6), SAME)
    stack = group(make)
    networks = [make() for _ in range(3)]
    for k, network in enumerate(networks):
        network.load_state_dict({n: t[k] for n, t in stack.parameters.items()})
    x = torch.randn(4, *SHAPE)
    expected = torch.stack([network(x) for network in networks])
    torch.testing.assert_close(stack.answer(x), expected.detach())
    parameters, buffers = stack_module_state(networks)
    assert parameters.keys() == stack.parameters.keys()
    assert not buffers


def test_a_recipe_in_bfloat16_is_stacked_under_vmap(monkeypatch):
    """Autocast chooses the precision of every operation of its own, on the way back, too."""
    monkeypatch.setattr(stacked_layers, "forward", None)  # would fail
    with torch.autocast("cpu", torch.bfloat16):
        assert group(MAKERS["one"])(torch.randn(3, 6, *SHAPE)).shape == (3, 6, CLASSES)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("of", ["labels", "answers"])
def test_cross_entropy_is_each_models_mean(smoothing, of):
    logits = torch.randn(3, 6, CLASSES)
    y = torch.randint(CLASSES, (3, 6)) if of == "labels" else torch.rand(3, 6, CLASSES).softmax(-1)
    losses = objectives.cross_entropy(logits, y, smoothing)
    for k in range(3):
        one = nn.functional.cross_entropy(logits[k], y[k], label_smoothing=smoothing)
        torch.testing.assert_close(losses[k], one)
