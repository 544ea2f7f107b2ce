"""AlexNet for 32x32 images: CIFAR-10, configurations I and II of ye2022 App. A.2.

The paper does not say how AlexNet (Krizhevsky 2012) was cut down to CIFAR's size. This is the form
most used for it in membership inference: five convolutions of 64, 192, 384, 256, 256 filters with
three 2x2 poolings down to one position, and a linear head in place of the three dense layers with
dropout; 2.47 million weights for ten classes.
"""

from torch import nn

from miatlas.training.architectures.base import Network, channels

STACKABLE = True
INPUTS = "images"


def build(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Return the network for images of at least 29x29 pixels: 8, 4, 2, 1 positions a side."""
    body = nn.Sequential(
        nn.Conv2d(channels("alexnet", shape, 29), 64, 11, stride=4, padding=5), nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
    )  # fmt: skip
    return Network(body, shape, classes)
