"""Optimisers and learning-rate schedules, named as in a recipe.

Every optimiser here works element by element, so that one of them on stacked parameters (K, ...) is
K of them on K models. They move weights as torch.optim's do, by the kernels that these call with
`fused=True`, which pass through memory once: Adam takes a third to a seventh of the time. Building
one of those imports torch's compiler, which costs every training job more than a second and 150 MB.
The kernels' names are torch's own business; tests say when they change.

Weight decay is of all weights, as in torch.optim; `decay_norms_and_biases: false` is of kernels and
matrices only, of what has more than one axis in a model.
"""

import math
from typing import Annotated

import torch

from miatlas.options import between, nonnegative, positive


class Optimizer:
    """Moves parameters by their gradients; `lr` may be set anew before every step.

    `move(parameters, gradients, lr)` changes both in place; what it remembers is its own.
    """

    def __init__(self, parameters, lr: float, move):
        self.parameters, self.lr, self.move = list(parameters), lr, move

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters by the gradients that they have, which are used up."""
        gradients = [_laid_out_alike(p.grad, p) for p in self.parameters]
        self.move(_as_they_lie(self.parameters), _as_they_lie(gradients), self.lr)


def _laid_out_alike(gradient, weight):
    """Return the gradient with the weight's layout: the kernels go through both as they lie.

    Given different ones they mix up the entries, torch's own optimisers too (2.14).
    """
    if gradient.stride() == weight.stride():
        return gradient
    return torch.empty_like(weight).copy_(gradient)


def _as_they_lie(tensors):
    """Return views of the tensors with their axes in the order of memory: others are copied."""
    axes = [sorted(range(t.dim()), key=t.stride, reverse=True) for t in tensors]
    return [t.permute(order) for t, order in zip(tensors, axes, strict=True)]


def sgd(
    parameters,
    *,
    lr: Annotated[float, positive] = 0.1,
    momentum: Annotated[float, between(0, 1)] = 0.9,
    nesterov: bool = False,
    weight_decay: Annotated[float, nonnegative] = 0.0,
    decay_norms_and_biases: bool = True,
):
    """Stochastic gradient descent, with momentum unless it is 0.

    `lr`: the learning rate, before its schedule; `momentum`: what is kept of the step before;
    `nesterov`: momentum in Nesterov's form; `weight_decay`: the weight of an L2 penalty;
    `decay_norms_and_biases`: whether norms and biases are penalised as well.
    Raises ValueError if Nesterov's form is asked for without momentum.
    """
    if nesterov and not momentum:
        raise ValueError("optimizer sgd: nesterov needs a momentum")
    memory = []
    how = {"momentum": momentum, "nesterov": nesterov, "dampening": 0.0, "maximize": False}

    def move(weights, gradients, lr):
        _add_penalty(gradients, weights, weight_decay, decay_norms_and_biases)
        first = momentum and not memory
        if first:
            memory.extend(map(torch.empty_like, weights))
        torch._fused_sgd_(
            weights, gradients, memory, weight_decay=0.0, lr=lr, is_first_step=bool(first), **how
        )

    return Optimizer(parameters, lr, move)


def adam(
    parameters,
    *,
    lr: Annotated[float, positive] = 1e-3,
    weight_decay: Annotated[float, nonnegative] = 0.0,
    decay_norms_and_biases: bool = True,
):
    """Adam (Kingma & Ba 2015), weight decay as an L2 penalty.

    `lr`: the learning rate, before its schedule; `weight_decay`: the weight of an L2 penalty;
    `decay_norms_and_biases`: whether norms and biases are penalised as well.
    """
    inner = _adam()

    def move(weights, gradients, lr):
        _add_penalty(gradients, weights, weight_decay, decay_norms_and_biases)
        inner(weights, gradients, lr)

    return Optimizer(parameters, lr, move)


def adamw(
    parameters,
    *,
    lr: Annotated[float, positive] = 1e-3,
    weight_decay: Annotated[float, nonnegative] = 0.01,
    decay_norms_and_biases: bool = True,
):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019).

    `lr`: the learning rate, before its schedule; `weight_decay`: times the learning rate, the share
    of a weight that is taken off at every step; `decay_norms_and_biases`: whether it is taken off
    norms and biases as well.
    """
    inner = _adam()

    def move(weights, gradients, lr):
        decayed = [weights[i] for i in _decayed(weights, decay_norms_and_biases)]
        torch._foreach_mul_(decayed, 1 - lr * weight_decay)
        inner(weights, gradients, lr)

    return Optimizer(parameters, lr, move)


def _add_penalty(gradients, weights, weight_decay, norms_and_biases):
    """Add the gradient of weight_decay / 2 times the squares of the decayed weights."""
    if weight_decay:
        chosen = _decayed(weights, norms_and_biases)
        own, decayed = [gradients[i] for i in chosen], [weights[i] for i in chosen]
        torch._foreach_add_(own, decayed, alpha=weight_decay)


def _decayed(weights, norms_and_biases):
    """Return which of the stacked weights decay: a model's norm scales and biases are (K, d)."""
    return [i for i, weight in enumerate(weights) if norms_and_biases or weight.dim() > 2]


def _adam(beta1=0.9, beta2=0.999, eps=1e-8):
    """Return Adam's own step: m and v are the moving averages of g and g^2, t counts the steps."""
    m, v, t = [], [], []
    how = {"beta1": beta1, "beta2": beta2, "eps": eps, "amsgrad": False, "maximize": False}

    def move(weights, gradients, lr):
        if not m:
            m.extend(map(torch.zeros_like, weights))
            v.extend(map(torch.zeros_like, weights))
            t.extend(weight.new_zeros(()) for weight in weights)
        torch._foreach_add_(t, 1)
        torch._fused_adam_(weights, gradients, m, v, [], t, lr=lr, weight_decay=0.0, **how)

    return move


def constant(progress, *, warmup: Annotated[float, between(0, 1)] = 0.0):
    """The full learning rate; `warmup`: the share of the training over which it rises from 0."""
    return _warm(progress, warmup)


def cosine(progress, *, warmup: Annotated[float, between(0, 1)] = 0.0):
    """Half a cosine from the full learning rate to zero, after the warm-up.

    `warmup`: the share of the training over which the learning rate rises from 0.
    """
    rest = max(0.0, progress - warmup) / (1 - warmup) if warmup < 1 else 0.0
    return _warm(progress, warmup) * 0.5 * (1 + math.cos(math.pi * rest))


def quarter_cosine(
    progress,
    *,
    share: Annotated[float, between(0, 1)] = 0.875,
    warmup: Annotated[float, between(0, 1)] = 0.0,
):
    """The first `share` of a cosine's quarter, cos(share π/2 t), times the warm-up.

    cos(7π/16 t) by default, which ends at a fifth of the full learning rate: FixMatch's schedule
    (Sohn et al. 2020) and that of carlini2022's released code, which warms up over 1 %.
    `warmup`: the share of the training over which the learning rate rises from 0.
    """
    return _warm(progress, warmup) * math.cos(math.pi / 2 * share * progress)


def step(
    progress,
    *,
    milestones: list[float] = [0.5, 0.75],
    gamma: Annotated[float, positive] = 0.1,
    warmup: Annotated[float, between(0, 1)] = 0.0,
):
    """Times `gamma` at each milestone.

    `milestones`: shares of the training, in order; `warmup`: the share of the training over which
    the learning rate rises from 0.
    """
    return _warm(progress, warmup) * gamma ** sum(progress >= m for m in milestones)


def _warm(progress, warmup):
    return min(1.0, progress / warmup) if warmup else 1.0


OPTIMIZERS = {"sgd": sgd, "adam": adam, "adamw": adamw}
SCHEDULES = {
    "constant": constant, "cosine": cosine, "quarter_cosine": quarter_cosine, "step": step,
}  # fmt: skip
