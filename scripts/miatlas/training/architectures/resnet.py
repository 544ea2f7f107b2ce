"""ResNet-18, 34 and 50 for small images: torchvision's, with the CIFAR stem.

They are of shi2024 §5.4 and carlini2022 §VII-A. The stem is one 3x3 convolution of stride 1 without
pooling (He et al. 2016 §4.2), so that a 32x32 image is seen at 32, 16, 8 and 4 pixels a side.
"""

from functools import partial
from typing import Literal

from torch import nn
from torchvision.models import resnet18, resnet34, resnet50

from miatlas.training.architectures.base import Network, channels, normalising

STACKABLE = True
INPUTS = "images"
BATCH_NORM = {"norm": "batch"}


def build(
    shape: tuple[int, ...],
    classes: int,
    *,
    depth: Literal[18, 34, 50] = 18,
    norm: Literal["batch", "group"] = "batch",
) -> nn.Module:
    """Return the network for images of at least 8x8 pixels; torchvision's initialisation.

    `depth`: how many layers.
    `norm`: `batch`, or `group`, of channels of one example, in its place.
    """
    body = {18: resnet18, 34: resnet34, 50: resnet50}[depth](norm_layer=partial(normalising, norm))
    colours = channels("resnet", shape, 8)
    body.conv1 = nn.Conv2d(colours, 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(body.conv1.weight, mode="fan_out")
    body.maxpool = nn.Identity()
    body.fc = nn.Identity()
    return Network(body, shape, classes)
