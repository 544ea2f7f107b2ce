"""Multi-layer perceptron: shi2024 §4.1.2 (one hidden layer), ye2022 App. A.2 (512-256-128-64)."""

from itertools import pairwise
from math import prod
from typing import Annotated, Literal

from torch import nn

from miatlas.options import between, positive
from miatlas.training.architectures.base import Network, dropped

STACKABLE = True


def build(
    shape: tuple[int, ...],
    classes: int,
    *,
    widths: list[Annotated[int, positive]] = [128],
    activation: Literal["relu", "tanh"] = "relu",
    dropout: Annotated[float, between(0, 0.99)] = 0.0,
) -> nn.Module:
    """Return hidden layers of these widths on the flattened input; none: logistic regression.

    `widths`: units of each hidden layer; `activation`: what follows each of them.
    `dropout`: the share of every hidden layer's outputs that a training step leaves out.
    """
    nonlinear = {"relu": nn.ReLU, "tanh": nn.Tanh}[activation]
    layers = [nn.Flatten()]
    for before, after in pairwise([prod(shape), *widths]):
        layers += [nn.Linear(before, after), nonlinear(), *dropped(dropout)]
    return Network(nn.Sequential(*layers), shape, classes)
