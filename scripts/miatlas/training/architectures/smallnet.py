"""SmallNet (shi2024 §4.1.2): four 3x3 convolutions with average pooling.

shi2024 takes it over from Watson et al. 2021 and describes it no further; the layer sizes are those
of the latter's public code: 32, 64, 64 filters with 2x2 average pooling after each, then 128
filters averaged over all positions; ReLU. shi2024's released code shows it CIFAR-100 at 224x224
pixels (`resize`).
"""

from itertools import pairwise
from typing import Annotated

from torch import nn

from miatlas.options import positive
from miatlas.training.architectures.base import Network, channels, pooled, resized

STACKABLE = True
INPUTS = "images"


def build(
    shape: tuple[int, ...], classes: int, *, resize: Annotated[int, positive] | None = None
) -> nn.Module:
    """Return the network for images of at least 8x8 pixels; `resize` them to so many a side."""
    layers = resized(resize)
    for before, after in pairwise([channels("smallnet", shape, 8), 32, 64, 64]):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)]
    layers += [nn.Conv2d(64, 128, 3, padding=1), nn.ReLU()]
    return Network(pooled(*layers), shape, classes)
