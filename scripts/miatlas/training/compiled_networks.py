"""Networks compiled for a GPU, where enough images lie ahead to pay for the compilation."""

import os
import shutil
from importlib.util import find_spec

import torch
from torch.func import functional_call

# Of `fast` on an H200, compiling takes 20 s, or 6 s where another job has done it before, and saves
# 0.7 to 1 µs an image in training and 0.6 µs in a query.
PAYING = 20_000_000


def network_call(device: torch.device, images: int, size: int):
    """Return what is called like `functional_call` about batches of `size`, `images` in all.

    It is compiled on a GPU, if there are as many as PAYING and the machine can compile.
    """
    if device.type != "cuda" or images < PAYING or not possible():
        return functional_call
    return Compiled(size)


def possible() -> bool:
    """Say whether torch can compile for a GPU here: it needs Triton and a compiler of C."""
    compilers = (os.environ.get("CC"), "cc", "gcc", "clang")
    return find_spec("triton") is not None and any(shutil.which(c) for c in compilers if c)


class Compiled:
    """`functional_call` compiled for batches of one size; others are called as they are."""

    def __init__(self, size: int, backend: str = "inductor"):
        self.size = size
        self.call = torch.compile(functional_call, dynamic=False, backend=backend)

    def __call__(self, network, state, inputs):
        """Return the network's outputs with the tensors `state` in place of its own."""
        call = self.call if len(inputs[0]) == self.size else functional_call
        return call(network, state, inputs)
