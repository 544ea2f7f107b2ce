"""MobileNet-v2 for small images (carlini2022 §VII-A): torchvision's, with two strides fewer.

The first convolution and the second stage keep the size of the image, so that a 32x32 image is seen
at 32, 16, 8 and 4 pixels a side; at 224x224 the network halves it twice more.
"""

from torch import nn
from torchvision.models import MobileNetV2

from miatlas.training.architectures.base import Network, channels, pooled

STACKABLE = True
INPUTS = "images"
BATCH_NORM = {}
STAGES = (  # expansion, channels, blocks, stride of the first
    (1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip


def build(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Return the network for images of at least 8x8 pixels; torchvision's initialisation."""
    layers = MobileNetV2(inverted_residual_setting=[list(stage) for stage in STAGES]).features
    colours = channels("mobilenet_v2", shape, 8)
    layers[0][0] = nn.Conv2d(colours, 32, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(layers[0][0].weight, mode="fan_out")
    return Network(pooled(layers), shape, classes)
