"""CNN-16, CNN-32, CNN-64 (carlini2022 §VI-E): a small convolutional network.

The paper gives the number of filters and no more. Two layouts, both of 3x3 convolutions with zero
padding, both of `stages` halvings of the image:

- `light`: one convolution a stage, of filters, 2 filters, 4 filters, ...; ReLU; 2x2 max pooling;
  the head reads the flattened last stage. The cheap one: about an eighth of
  the multiplications at 32x32.
- `carlini2022`: the layer sizes of the paper's public code: a convolution of `filters`, then two a
  stage, of filters and 2 filters, 2 filters and 4 filters, ...; leaky ReLU (0.01); 2x2 max pooling.
  There the head is a 3x3 convolution whose outputs are averaged over positions, here a linear
  layer on the averages: the two differ at the border only.
"""

from itertools import pairwise
from typing import Annotated, Literal

from torch import nn

from miatlas.options import between, positive
from miatlas.training.architectures.base import (
    Network,
    PooledConvolution,
    channels,
    dropped,
    normalising,
    pooled,
)

STACKABLE = True
INPUTS = "images"


def build(
    shape: tuple[int, ...],
    classes: int,
    *,
    filters: Annotated[int, positive] = 32,
    stages: Annotated[int, positive] = 3,
    layout: Literal["light", "carlini2022"] = "light",
    dropout: Annotated[float, between(0, 0.99)] = 0.0,
    norm: Literal["none", "group"] = "none",
) -> nn.Module:
    """Return the network for images of at least 2^stages pixels a side (8 by default).

    `dropout`: the share of the head's inputs that a training step leaves out. `layout`: of the two
    above; `norm`: `group`, of channels of one example, behind convolutions, or none.
    The paper's has no norms; `norm: group` has one after every convolution, and its pooling.
    """
    colours = channels("cnn", shape, 2**stages)
    doubling = [filters << stage for stage in range(stages + 1)]
    if layout == "light":
        layers = []
        for before, after in pairwise([colours, *doubling[:-1]]):
            layers += [*_convolution(before, after, norm, PooledConvolution), nn.ReLU()]
        body = nn.Sequential(*layers, nn.Flatten(), *dropped(dropout))
        return Network(body, shape, classes)
    layers = [*_convolution(colours, filters, norm), nn.LeakyReLU()]
    for before, after in pairwise(doubling):
        layers += [*_convolution(before, before, norm), nn.LeakyReLU()]
        layers += [*_convolution(before, after, norm, PooledConvolution), nn.LeakyReLU()]
    return Network(nn.Sequential(*pooled(*layers), *dropped(dropout)), shape, classes)


def _convolution(before, after, norm, kind=nn.Conv2d):
    layer = kind(before, after, 3, padding=1)
    return [layer] if norm == "none" else [layer, normalising(norm, after)]
