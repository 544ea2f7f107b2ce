"""What all architectures share: a network as body and head, and the check of its input's shape.

Every architecture is one module with one function `build(shape, classes, *, options)`; `shape` is
(C, H, W) of an image or (d,) of a feature vector; its constant INPUTS says of which, "images" or
"text", unless it reads images and features. Its constant STACKABLE says whether K networks
give the same as one vectorised call on stacked parameters and buffers (`torch.func`), which is
tested for all that say so. A module may also have `from_sample(x)` and SAMPLE: weights that are the
population's and no model's, made from so many examples (see `initial_weights.maker`). BATCH_NORM
holds the options with which it has batch norms: {} if with any; modules without have none.
"""

import torch
from torch import nn
from torch._C._functorch import is_batchedtensor
from torch.nn.functional import interpolate, max_pool2d


class PooledConvolution(nn.Conv2d):
    """Convolution with 2x2 max pooling: (B, C, H, W) -> (B, O, H' // 2, W' // 2).

    Before a ReLU it gives the same as after it, and leaves a quarter of the numbers to the ReLU. So
    do the biases of a stack, which `vmap` adds by an operation of its own: the largest of sums with
    one bias is the largest number, plus the bias, to the last bit.
    """

    def forward(self, x):
        """Return the largest outputs of each square, without its last row or column if odd."""
        if not is_batchedtensor(self.weight):
            return max_pool2d(_channels_last(super().forward(x)), 2)
        x = _Pool.apply(self._conv_forward(x, self.weight, None))[0]
        return x if self.bias is None else x + self.bias.to(x.dtype)[:, None, None]


class _Pool(torch.autograd.Function):
    """2x2 max pooling that leaves stacked models where a grouped convolution has them: by channel.

    The rule of torch moves them to the front first. A stack of small networks takes half the time
    without these copies.
    """

    @staticmethod
    def forward(x):
        """(B, C, H, W) -> the maxima and their places, (B, C, H // 2, W // 2)."""
        return max_pool2d(_channels_last(x), 2, return_indices=True)

    @staticmethod
    def setup_context(context, inputs, outputs):
        """Keep what the gradient needs."""
        context.mark_non_differentiable(outputs[1])
        context.save_for_backward(*inputs, outputs[1])

    @staticmethod
    def backward(context, gradient, _):
        """Hand each maximum's gradient to its place."""
        x, places = context.saved_tensors
        window = ([2, 2], [2, 2], [0, 0], [1, 1], False)
        return torch.ops.aten.max_pool2d_with_indices_backward(gradient, x, *window, places)

    @staticmethod
    def vmap(info, in_dims, x):
        """Pool K stacked models (B, K, C, H, W) as one with K C channels."""
        outputs = _Pool.apply(x.movedim(in_dims[0], 1).flatten(1, 2))
        return tuple(each.unflatten(1, (info.batch_size, -1)) for each in outputs), (1, 1)


def _channels_last(x):
    """Lay images out for a CPU, which pools them nine times as fast, a copy not counted."""
    return x.movedim(1, -1).contiguous().movedim(-1, 1) if x.device.type == "cpu" else x


class BatchNorm(nn.BatchNorm2d):
    """Batch norm that a stack can train in bfloat16.

    For stacked models torch makes up weights of 1, of the inputs' type. With these its kernels want
    running statistics of that type too, which are float32, and fail: a GPU's on the way back. So
    they are not told of any, and what they say of the batch moves the statistics here.
    """

    def forward(self, x):
        """(B, C, H, W) -> (B, C, H, W)."""
        if not (self.training and x.dtype == torch.bfloat16 and is_batchedtensor(x)):
            return super().forward(x)
        affine = [p if p is None else p.to(x.dtype) for p in (self.weight, self.bias)]
        given = x, *affine, None, None, True, self.momentum, self.eps
        x, mean, inverse = torch.native_batch_norm(*given)
        count = x.numel() // x.shape[1]
        variance = (inverse.detach().float() ** -2 - self.eps) * (count / (count - 1))
        self.running_mean.mul_(1 - self.momentum).add_(mean.detach().float() * self.momentum)
        self.running_var.mul_(1 - self.momentum).add_(variance * self.momentum)
        self.num_batches_tracked.add_(1)
        return x


def normalising(norm: str, width: int, **options) -> nn.Module:
    """Return the norm of a layer of so many channels: "batch", or "group", which mixes no examples.

    Groups are 16 (De et al. 2022), or fewer, so that each has 4 channels at least.
    """
    if norm == "batch":
        return nn.BatchNorm2d(width, **options)
    groups = max(g for g in (1, 2, 4, 8, 16) if g == 1 or (width % g == 0 and width >= 4 * g))
    return nn.GroupNorm(groups, width, **options)


class Resized(nn.Module):
    """Images made larger, bilinearly: (B, C, H, W) -> (B, C, size, size)."""

    def __init__(self, size: int):
        super().__init__()
        self.size = (size, size)

    def forward(self, x):
        """(B, C, H, W) -> (B, C, size, size)."""
        return interpolate(x, self.size, mode="bilinear", align_corners=False)


class Mean(nn.Module):
    """The mean over all positions: (B, C, H, W) -> (B, C)."""

    def forward(self, x):
        """(B, C, H, W) -> (B, C)."""
        return x.mean((-2, -1))


class Network(nn.Module):
    """A body that turns inputs (B, *shape) into features (B, d), and a linear head on top."""

    def __init__(self, body: nn.Module, shape: tuple[int, ...], classes: int):
        super().__init__()
        for module in body.modules():
            if type(module) is nn.BatchNorm2d:
                module.__class__ = BatchNorm  # torchvision's networks have them built in
        self.body = body
        self.head = nn.Linear(_width(body, shape), classes)

    def features(self, x):
        """Return the penultimate activations: (B, *shape) -> (B, d)."""
        return self.body(x)

    def forward(self, x):
        """Return the logits: (B, *shape) -> (B, C), in float32 also of features in half precision.

        The spacing of half-precision numbers at a logit of 10 is 0.06 (bfloat16), 0.008 (float16).
        """
        features = self.features(x)
        if not autocasting(x.device.type):
            return self.head(features)
        with torch.autocast(x.device.type, enabled=False):
            return self.head(features.float())


def autocasting(kind: str) -> bool:
    """Say whether layers on this kind of device are computed in half precision at the moment."""
    return kind in ("cpu", "cuda") and torch.is_autocast_enabled(kind)


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


def resized(size: int | None) -> list[nn.Module]:
    """Return the layer that makes images of `size` pixels a side, none for None."""
    return [Resized(size)] if size else []


def dropped(share: float) -> list[nn.Module]:
    """Return the layer that leaves out a share of its inputs in training, none for 0."""
    return [nn.Dropout(share)] if share else []


def pooled(*layers: nn.Module) -> nn.Sequential:
    """Return the layers followed by the mean over all positions: (B, C, H, W) -> (B, d)."""
    return nn.Sequential(*layers, Mean())


def _width(body, shape):
    """Count the features by asking, in evaluation mode so that no statistics are touched."""
    training = body.training
    with torch.no_grad():
        count = body.eval()(torch.zeros(1, *shape)).shape[1]
    body.train(training)
    return count
