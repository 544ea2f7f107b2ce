"""Multi-layer perceptron: shi2024 §4.1.2 (one hidden layer), ye2022 App. A.2 (512-256-128-64)."""

from itertools import pairwise
from math import prod
from typing import Annotated, Literal

from torch import nn

from miatlas.options import positive
from miatlas.training.architectures.base import Network

STACKABLE = True


def build(
    shape: tuple[int, ...],
    classes: int,
    *,
    widths: list[Annotated[int, positive]] = [128],
    activation: Literal["relu", "tanh"] = "relu",
) -> nn.Module:
    """Return hidden layers of these widths on the flattened input; none: logistic regression."""
    nonlinear = {"relu": nn.ReLU, "tanh": nn.Tanh}[activation]
    layers = [nn.Flatten()]
    for before, after in pairwise([prod(shape), *widths]):
        layers += [nn.Linear(before, after), nonlinear()]
    return Network(nn.Sequential(*layers), shape, classes)
