"""Two-layer CNN of 32 and 64 filters with max pooling: CIFAR-100 and MNIST in ye2022 App. A.2.

The paper gives no more than that; kernels are 3x3 and unpadded, pooling is 2x2 and the head reads
the flattened result, as in Keras' MNIST example, which has these filters. `padding: same` keeps
the borders, and is what images smaller than 10x10 need.
"""

from typing import Annotated, Literal

from torch import nn

from miatlas.options import positive
from miatlas.training.architectures.base import Network, PooledConvolution, channels

STACKABLE = True
INPUTS = "images"


def build(
    shape: tuple[int, ...],
    classes: int,
    *,
    first: Annotated[int, positive] = 32,
    second: Annotated[int, positive] = 64,
    padding: Literal["valid", "same"] = "valid",
) -> nn.Module:
    """Return the network, `first` and `second` being the numbers of filters of its two layers.

    `padding`: `valid` is none; `same` keeps the borders.
    """
    name = f"two_layer_cnn (padding: {padding})"
    colours = channels(name, shape, 10 if padding == "valid" else 4)
    body = nn.Sequential(
        PooledConvolution(colours, first, 3, padding=padding), nn.ReLU(),
        PooledConvolution(first, second, 3, padding=padding), nn.ReLU(),
        nn.Flatten(),
    )  # fmt: skip
    return Network(body, shape, classes)
