"""DenseNet-121 for small images (shi2024 §4.1.2): torchvision's, with the CIFAR stem.

The stem is one 3x3 convolution of stride 1 without pooling, so that a 32x32 image is seen at 32,
16, 8 and 4 pixels a side.
"""

from torch import nn
from torchvision.models import densenet121

from miatlas.training.architectures.base import Network, channels, pooled

STACKABLE = True
INPUTS = "images"


def build(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Return the network for images of at least 8x8 pixels; torchvision's initialisation."""
    layers = densenet121(num_classes=1).features
    colours = channels("densenet121", shape, 8)
    layers.conv0 = nn.Conv2d(colours, 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(layers.conv0.weight)
    layers.pool0 = nn.Identity()
    return Network(pooled(layers, nn.ReLU()), shape, classes)
