"""A small residual network that trains in few epochs, in the spirit of CIFAR-10's speed records.

From Page's ResNet-9 ("How to Train Your ResNet", 2018-19): three short stages with a residual
branch each, a first layer that whitens patches, a last max pooling, a scaled head. From Jordan's
"94% on CIFAR-10 in 3.29 Seconds" (2024): patches of 2x2 pixels, filters in pairs of opposite sign,
GELU, identity initialisation, the widths. Not a copy of either, and none of their results.
"""

from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import nn
from torch._C._functorch import is_batchedtensor
from torch.nn.functional import conv2d, gelu, linear, unfold

from miatlas.options import positive
from miatlas.training.architectures.base import (
    Network,
    PooledConvolution,
    channels,
    normalising,
)

STACKABLE = True
INPUTS = "images"
BATCH_NORM = {"norm": "batch"}
SAMPLE = 1000  # examples that `from_sample` is given
EPSILON = 5e-4  # added to variances: directions with less than this are hardly amplified
SCALE = 1 / 9  # of the features: a lower temperature, so that labels can be smoothed


def build(
    shape: tuple[int, ...],
    classes: int,
    *,
    widths: list[Annotated[int, positive]] = [64, 256, 256],
    norm: Literal["batch", "group"] = "batch",
) -> nn.Module:
    """Return the network for images of at least 16x16 pixels; `widths` are its stages' channels.

    `norm`: `batch`, or `group`, of channels of one example, in its place.
    """
    colours = channels("fast_resnet", shape, 16)
    whitening = Whitening(colours)
    stages = [Stage(*pair, norm) for pair in pairwise([len(whitening.weight), *widths])]
    return Network(nn.Sequential(whitening, nn.GELU(), *stages, Peak()), shape, classes)


def from_sample(x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the filters that whiten the 2x2 patches of images x (n, C, H, W).

    v / sqrt(λ + ε) for the eigenvectors v and eigenvalues λ of the patches' second moments, and the
    same with the opposite sign: (8 C, C, 2, 2). In float64, and each v turned so that its largest
    entry is positive, so that only rounding depends on the machine.
    """
    patches = unfold(x.double(), 2)  # (n, 4 C, positions)
    moments = torch.einsum("nap,nbp->ab", patches, patches) / (len(x) * patches.shape[2])
    values, vectors = torch.linalg.eigh(moments)
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    filters = (vectors * largest.sign() / (values + EPSILON).sqrt()).T
    filters = torch.cat([filters, -filters]).float()
    return {"body.0.weight": filters.reshape(-1, x.shape[1], 2, 2)}


class Whitening(nn.Module):
    """2x2 filters in pairs of opposite sign, which are not trained; only their biases are.

    Without a sample, the filters are the single pixels of a patch.
    """

    def __init__(self, colours: int):
        super().__init__()
        pixels = torch.eye(4 * colours).reshape(-1, colours, 2, 2)
        self.register_buffer("weight", torch.cat([pixels, -pixels]))
        self.bias = nn.Parameter(torch.zeros(len(self.weight)))

    def forward(self, x):
        """(B, C, H, W) -> (B, 8 C, H - 1, W - 1), of one model by one product for all patches.

        A GPU's convolution of three channels takes four times as long.
        """
        if is_batchedtensor(self.weight):
            return conv2d(x, self.weight) + self.bias.to(x.dtype)[:, None, None]
        x = x.movedim(1, -1)
        rows, columns = x.shape[1] - 1, x.shape[2] - 1
        pixels = [x[:, i : i + rows, j : j + columns] for i in (0, 1) for j in (0, 1)]
        filters = self.weight.permute(0, 2, 3, 1).flatten(1)  # (8 C, 4 C), pixel by pixel
        return linear(torch.cat(pixels, -1), filters, self.bias).movedim(-1, 1)


class Stage(nn.Module):
    """convolution, 2x2 max pooling, norm, GELU; and the same without pooling, added on top."""

    def __init__(self, before: int, after: int, norm: str):
        super().__init__()
        self.conv1 = _convolution(PooledConvolution, before, after)
        self.conv2 = _convolution(nn.Conv2d, after, after)
        self.norm1, self.norm2 = _norm(norm, after), _norm(norm, after)

    def forward(self, x):
        """(B, before, H, W) -> (B, after, H // 2, W // 2)."""
        x = gelu(self.norm1(self.conv1(x)))
        return x + gelu(self.norm2(self.conv2(x)))


class Peak(nn.Module):
    """The largest value of each channel over all positions, scaled: (B, C, H, W) -> (B, C)."""

    def forward(self, x):
        """(B, C, H, W) -> (B, C)."""
        return x.amax((2, 3)) * SCALE


def _norm(norm, width):
    """Return a norm whose biases are trained and whose scales are not (Jordan 2024)."""
    layer = normalising(norm, width, **{"momentum": 0.4} if norm == "batch" else {})
    del layer.weight
    layer.register_buffer("weight", torch.ones(width))
    return layer


def _convolution(kind, before, after):
    """Return a convolution whose first `before` outputs are its inputs, the others random."""
    layer = kind(before, after, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight.data[:before])
    return layer
