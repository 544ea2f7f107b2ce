"""Three-block VGG for 32x32 images: CIFAR-10, configuration III of ye2022 App. A.2.

The paper says no more than "3-block VGGNet"; this is the usual one: blocks of two 3x3 convolutions
of 32, 64, 128 filters and a 2x2 max pooling, one dense layer of 128 before the head, no dropout.
"""

from itertools import pairwise

from torch import nn

from miatlas.training.architectures.base import Network, PooledConvolution, channels

STACKABLE = True
INPUTS = "images"


def build(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Return the network for images of at least 8x8 pixels."""
    colours = channels("vgg3", shape, 8)
    layers = []
    for before, after in pairwise([colours, 32, 64, 128]):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        layers += [PooledConvolution(after, after, 3, padding=1), nn.ReLU()]
    positions = (shape[1] // 8) * (shape[2] // 8)
    dense = [nn.Flatten(), nn.Linear(128 * positions, 128), nn.ReLU()]
    return Network(nn.Sequential(*layers, *dense), shape, classes)
