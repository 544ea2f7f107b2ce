"""The network that a recipe names: an architecture of the library, or a file of the user's own.

Such a file has a function `build(shape, classes, *, options) -> torch.nn.Module`, and may have
`logits(output) -> (B, C)`, which picks the logits of what the network answers, STACKABLE (see
`architectures.base`), and `train(x, labels, seed, device) -> network`, which trains one model.
"""

from functools import partial

import torch

from miatlas.running import plugins
from miatlas.training.outputs import AsLogits


def architecture(entry: dict):
    """Return what a recipe's architecture (name and options) stands for.

    That is a module of the library, or an object that is like one: `build(shape, classes)` with
    the options, STACKABLE, and whatever else the module has.
    """
    found = plugins.module("training.architectures", entry["name"])
    return OwnNetwork(found) if plugins.is_file(entry["name"]) else found


def is_estimator(found) -> bool:
    """Say whether an architecture is of estimators, which fit themselves."""
    return getattr(found, "KIND", "network") == "estimator"


def is_program(found) -> bool:
    """Say whether an architecture is of programs, which are asked and nothing else."""
    return getattr(found, "KIND", "network") == "program"


def builder(entry: dict, shape: tuple[int, ...], classes: int):
    """Return what builds one network of an architecture (name and options)."""
    options = {key: value for key, value in entry.items() if key != "name"}
    return partial(architecture(entry).build, shape, classes, **options)


class OwnNetwork:
    """A file of a user's own, seen as a module of `training.architectures`."""

    def __init__(self, module):
        self.module, self.__name__ = module, module.__file__
        self.STACKABLE = getattr(module, "STACKABLE", False)

    def build(self, shape: tuple[int, ...], classes: int, **options) -> torch.nn.Module:
        """Return the network of the file's own `build`, which is to be a module with weights."""
        network = self._called("build", shape, classes, **options)
        if not any(True for _ in network.parameters()):
            raise ValueError(f"{self.__name__}: the network of build() has no parameters")
        return self._as_logits(network, classes)

    def train(self, x, labels, seed: int, device, classes: int) -> torch.nn.Module:
        """Return the network that the file's own `train` makes of x (n, ...) and labels (n,)."""
        return self._as_logits(self._called("train", x, labels, seed, device), classes)

    def _called(self, function, *inputs, **options):
        try:
            network = getattr(self.module, function)(*inputs, **options)
        except Exception as error:
            said = str(error).strip().splitlines() or [""]
            kind = type(error).__name__
            raise ValueError(f"{self.__name__}: {function}() failed: {kind}: {said[-1]}") from error
        if not isinstance(network, torch.nn.Module):
            kind = type(network).__name__
            raise ValueError(f"{self.__name__}: {function}() returns {kind}, not a torch.nn.Module")
        return network

    def _as_logits(self, network, classes):
        return AsLogits(network, classes, getattr(self.module, "logits", None))
