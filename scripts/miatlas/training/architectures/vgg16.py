"""VGG-16 for 32x32 images (shi2024 §4.1.2), with batch norm or without.

torchvision's convolutions (configuration D). As usual on CIFAR, the image is down to one position
after the five poolings and a linear head takes the place of the three dense layers with dropout,
which `vgg16_dense` has.
"""

from torch import nn
from torchvision.models import vgg

from miatlas.training.architectures.base import Network, channels, pooled

STACKABLE = True
INPUTS = "images"
BATCH_NORM = {"batch_norm": True}


def build(shape: tuple[int, ...], classes: int, *, batch_norm: bool = True) -> nn.Module:
    """Return the network for images of at least 32x32 pixels; PyTorch's default initialisation.

    `batch_norm`: whether batch norms follow the convolutions.
    """
    layers = vgg.make_layers(vgg.cfgs["D"], batch_norm=batch_norm)
    layers[0] = nn.Conv2d(channels("vgg16", shape, 32), 64, 3, padding=1)
    return Network(pooled(*layers), shape, classes)
