"""WRN-depth-width (Zagoruyko & Komodakis 2016): carlini2022's and shi2024's WRN-28-k.

Pre-activation residual blocks B(3,3), three groups of 16k, 32k, 64k channels, no dropout. Where the
number of channels changes, the 1x1 shortcut reads the activated input, as in the authors' code.
"""

from itertools import pairwise
from typing import Annotated, Literal

from torch import nn
from torch.nn.functional import relu

from miatlas.options import positive
from miatlas.training.architectures.base import Network, channels, normalising, pooled

STACKABLE = True
INPUTS = "images"
BATCH_NORM = {"norm": "batch"}


def build(
    shape: tuple[int, ...],
    classes: int,
    *,
    depth: Annotated[int, positive] = 28,
    width: Annotated[int, positive] = 10,
    norm: Literal["batch", "group"] = "batch",
) -> nn.Module:
    """Return the network for images of any size from 4x4.

    `depth`: 6n + 4 for n blocks a group; `width`: the k that the groups' channels are times.
    `norm`: `batch`, or `group`, of channels of one example, in its place.
    Convolutions start from He's normal initialisation (fan-out), as in the paper.
    """
    blocks, rest = divmod(depth - 4, 6)
    if rest or blocks < 1:
        raise ValueError(f"architecture wide_resnet: depth {depth} is not 10, 16, 22, 28, ...")
    sizes = [16, 16 * width, 32 * width, 64 * width]
    layers = [nn.Conv2d(channels("wide_resnet", shape, 4), 16, 3, padding=1, bias=False)]
    for group, (before, after) in enumerate(pairwise(sizes)):
        layers.append(Block(before, after, 1 if group == 0 else 2, norm))
        layers += [Block(after, after, 1, norm) for _ in range(blocks - 1)]
    body = pooled(*layers, normalising(norm, sizes[-1]), nn.ReLU())
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    return Network(body, shape, classes)


class Block(nn.Module):
    """norm, ReLU, convolution, norm, ReLU, convolution, added to the input or its projection."""

    def __init__(self, before: int, after: int, stride: int, norm: str):
        super().__init__()
        self.norm1 = normalising(norm, before)
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.norm2 = normalising(norm, after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.project = (
            nn.Conv2d(before, after, 1, stride=stride, bias=False) if before != after else None
        )

    def forward(self, x):
        """(B, before, H, W) -> (B, after, H / stride, W / stride)."""
        active = relu(self.norm1(x))
        skip = x if self.project is None else self.project(active)
        return skip + self.conv2(relu(self.norm2(self.conv1(active))))
