"""Optimisers and learning-rate schedules, named as in a recipe.

Every optimiser here works element by element, so that one of them on stacked parameters is K of
them on K models.
"""

import math
from typing import Annotated

import torch

from miatlas.options import between, nonnegative, positive


def sgd(
    parameters,
    *,
    lr: Annotated[float, positive] = 0.1,
    momentum: Annotated[float, between(0, 1)] = 0.9,
    nesterov: bool = False,
    weight_decay: Annotated[float, nonnegative] = 0.0,
):
    """Stochastic gradient descent, with momentum unless it is 0."""
    return torch.optim.SGD(
        parameters, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay
    )


def adam(
    parameters,
    *,
    lr: Annotated[float, positive] = 1e-3,
    weight_decay: Annotated[float, nonnegative] = 0.0,
):
    """Adam (Kingma & Ba 2015), weight decay as an L2 penalty."""
    return torch.optim.Adam(parameters, lr=lr, weight_decay=weight_decay)


def adamw(
    parameters,
    *,
    lr: Annotated[float, positive] = 1e-3,
    weight_decay: Annotated[float, nonnegative] = 0.01,
):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""
    return torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay)


def constant(progress, *, warmup: Annotated[float, between(0, 1)] = 0.0):
    """The full learning rate, after a linear warm-up over that share of the training."""
    return _warm(progress, warmup)


def cosine(progress, *, warmup: Annotated[float, between(0, 1)] = 0.0):
    """Half a cosine from the full learning rate to zero, after the warm-up."""
    rest = max(0.0, progress - warmup) / (1 - warmup) if warmup < 1 else 0.0
    return _warm(progress, warmup) * 0.5 * (1 + math.cos(math.pi * rest))


def step(
    progress,
    *,
    milestones: list[float] = [0.5, 0.75],
    gamma: Annotated[float, positive] = 0.1,
    warmup: Annotated[float, between(0, 1)] = 0.0,
):
    """Times `gamma` at each milestone, given as a share of the training."""
    return _warm(progress, warmup) * gamma ** sum(progress >= m for m in milestones)


def _warm(progress, warmup):
    return min(1.0, progress / warmup) if warmup else 1.0


OPTIMIZERS = {"sgd": sgd, "adam": adam, "adamw": adamw}
SCHEDULES = {"constant": constant, "cosine": cosine, "step": step}
