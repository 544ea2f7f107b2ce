"""What all architectures share: a network as body and head, and the check of its input's shape.

Every architecture is one module with one function `build(shape, classes, *, options)`; `shape` is
(C, H, W) of an image or (d,) of a feature vector. Its constant STACKABLE says whether K networks
give the same as one vectorised call on stacked parameters and buffers (`torch.func`), which is
tested for all that say so. A module may also have `from_sample(x)` and SAMPLE: weights that are the
population's and no model's, made from so many examples (see `train_models.maker`).
"""

import torch
from torch import nn
from torch.nn.functional import max_pool2d


class MaxPool(nn.Module):
    """2x2 max pooling: (B, C, H, W) -> (B, C, H // 2, W // 2).

    Before a ReLU it gives the same as after it, and leaves a quarter of the numbers to the ReLU.
    """

    def forward(self, x):
        """Bring channels last on a CPU: nine times as fast there, the copy not counted."""
        if x.device.type == "cpu":
            x = x.movedim(-3, -1).contiguous().movedim(-1, -3)
        return max_pool2d(x, 2)


class Network(nn.Module):
    """A body that turns inputs (B, *shape) into features (B, d), and a linear head on top."""

    def __init__(self, body: nn.Module, shape: tuple[int, ...], classes: int):
        super().__init__()
        self.body = body
        self.head = nn.Linear(_width(body, shape), classes)

    def features(self, x):
        """Return the penultimate activations: (B, *shape) -> (B, d)."""
        return self.body(x)

    def forward(self, x):
        """Return the logits: (B, *shape) -> (B, C)."""
        return self.head(self.features(x))


def channels(name: str, shape: tuple[int, ...], smallest: int) -> int:
    """Return the number of channels of an image shape (C, H, W).

    Raises ValueError, naming the architecture, for feature vectors and for images that have a side
    of fewer than `smallest` pixels.
    """
    if len(shape) != 3:
        raise ValueError(f"architecture {name} needs images (C, H, W), not inputs of shape {shape}")
    if min(shape[1:]) < smallest:
        height, width = shape[1:]
        raise ValueError(
            f"architecture {name} needs images of at least {smallest}x{smallest} pixels, "
            f"not {height}x{width}"
        )
    return shape[0]


def pooled(*layers: nn.Module) -> nn.Sequential:
    """Return the layers followed by the mean over all positions: (B, C, H, W) -> (B, d)."""
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _width(body, shape):
    """Count the features by asking, in evaluation mode so that no statistics are touched."""
    training = body.training
    with torch.no_grad():
        count = body.eval()(torch.zeros(1, *shape)).shape[1]
    body.train(training)
    return count
