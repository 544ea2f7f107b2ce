"""The engines that a GPU is measured with: the trainer's own, and what else was thought of."""

from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import gpu_trial  # noqa: F401 (which finds the workflow's modules)
import torch
from torch.func import functional_call
from torch.nn.functional import unfold

from miatlas.training import ensemble, gradients, trainer
from miatlas.training.compiled_networks import Compiled


@contextmanager
def searching():
    """Let cuDNN try its algorithms for every new shape, and keep the fastest."""
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = False


def channels_last():
    """Lay a stack's images out with models and channels last, as it is done on a CPU."""
    last = lambda self, x: self._call(ensemble._channels_last(x), 0)  # noqa: E731
    return patch.object(ensemble.Ensemble, "__call__", last)


def products():
    """Write a stack's convolutions as products of matrices (im2col), batched over models."""

    def convolve(layer, x, weight, bias):
        size, stride, padding = layer.kernel_size, layer.stride, layer.padding
        columns = unfold(x, size, padding=padding, stride=stride)  # (B, C k k, positions)
        flat = weight.flatten(1).to(x.dtype) @ columns.movedim(1, 0).flatten(1)
        height = (x.shape[-2] + 2 * padding[0] - size[0]) // stride[0] + 1
        found = flat.unflatten(1, (len(x), height, -1)).movedim(1, 0)
        return found if bias is None else found + bias.to(x.dtype)[:, None, None]

    return patch.object(torch.nn.Conv2d, "_conv_forward", convolve)


def streams(count: int):
    """Have so many models share the GPU."""
    return lambda: patch.object(gradients, "STREAMS", count)


def compiled(where=trainer):
    """Compile the networks that are captured, however few images lie ahead (on a CPU: trace)."""
    backend = "inductor" if torch.cuda.is_available() else "eager"
    call = lambda device, images, size: Compiled(size, backend)  # noqa: E731
    return patch.object(where, "network_call", call)


def plain(where=trainer):
    """Compile nothing."""
    return patch.object(where, "network_call", lambda *_: functional_call)


def compiled_queries():
    """Compile the networks that are asked, one after the other."""
    return compiled(ensemble)


# piece -> its name, the recipe's engine, and what is changed around it; the default first
ENGINES = {
    "turn": ("in turn", "in_turn", plain),
    "turn-search": ("in turn, cuDNN's search", "in_turn", searching),
    "turn-1": ("in turn, 1 stream", "in_turn", streams(1)),
    "turn-32": ("in turn, 32 streams", "in_turn", streams(32)),
    "turn-compiled": ("in turn, compiled", "in_turn", compiled),
    "stack": ("one stack", "stacked", nullcontext),
    "stack-search": ("one stack, cuDNN's search", "stacked", searching),
    "stack-channels-last": ("one stack, channels last", "stacked", channels_last),
    "stack-im2col": ("one stack, im2col", "stacked", products),
    "single": ("one by one", "one_by_one", nullcontext),
    "single-search": ("one by one, cuDNN's search", "one_by_one", searching),
}
