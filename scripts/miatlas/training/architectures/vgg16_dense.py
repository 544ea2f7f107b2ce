"""VGG-16 as torchvision has it for ImageNet: no norm, dense layers with dropout.

What shi2024's released code builds for CIFAR-10 and CINIC-10; `vgg16` is what is usual on images of
that size. The one position that is left of 32x32 pixels is repeated 49 times before the dense
layers, which hold 120 of the 134 million weights.
"""

from typing import Annotated

from torch import nn
from torchvision.models import vgg

from miatlas.options import positive
from miatlas.training.architectures.base import Network, channels

STACKABLE = False  # dropout draws
INPUTS = "images"


def build(
    shape: tuple[int, ...], classes: int, *, dense: Annotated[int, positive] = 4096
) -> nn.Module:
    """Return the network for images of at least 32x32 pixels; `dense` units in two layers.

    Initialised as torchvision's: He's normal for convolutions, N(0, 0.01²) for dense layers.
    """
    layers = vgg.make_layers(vgg.cfgs["D"], batch_norm=False)
    layers[0] = nn.Conv2d(channels("vgg16_dense", shape, 32), 64, 3, padding=1)
    dropped = [nn.ReLU(), nn.Dropout()]
    wide = [nn.Linear(512 * 49, dense), *dropped, nn.Linear(dense, dense), *dropped]
    body = nn.Sequential(layers, nn.AdaptiveAvgPool2d(7), nn.Flatten(), *wide)
    network = Network(body, shape, classes)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01)
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.zeros_(module.bias)
    return network
