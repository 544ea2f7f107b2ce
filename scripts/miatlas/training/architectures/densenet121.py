"""DenseNet-121 for small images (shi2024 §4.1.2): torchvision's, with the CIFAR stem or its own.

The CIFAR stem is one 3x3 convolution of stride 1 without pooling, so that a 32x32 image is seen at
32, 16, 8 and 4 pixels a side. torchvision's own halves an image twice; with it, shi2024's released
code shows CIFAR-100 at 224x224 pixels (`resize`).
"""

from typing import Annotated, Literal

from torch import nn
from torchvision.models import densenet121

from miatlas.options import positive
from miatlas.training.architectures.base import Network, channels, pooled, resized

STACKABLE = True
INPUTS = "images"
BATCH_NORM = {}


def build(
    shape: tuple[int, ...],
    classes: int,
    *,
    stem: Literal["cifar", "imagenet"] = "cifar",
    resize: Annotated[int, positive] | None = None,
) -> nn.Module:
    """Return the network for images of at least 8x8 pixels; torchvision's initialisation.

    `stem`: that of CIFAR, or torchvision's own, which needs 32x32, or images that are made larger
    first; `resize`: to that many pixels a side.
    """
    layers = densenet121(num_classes=1).features
    smallest = 32 if stem == "imagenet" and not resize else 8
    colours = channels("densenet121", shape, smallest)
    if stem == "cifar":
        layers.conv0 = nn.Conv2d(colours, 64, 3, padding=1, bias=False)
        layers.pool0 = nn.Identity()
    else:
        layers.conv0 = nn.Conv2d(colours, 64, 7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(layers.conv0.weight)
    return Network(pooled(*resized(resize), layers, nn.ReLU()), shape, classes)
