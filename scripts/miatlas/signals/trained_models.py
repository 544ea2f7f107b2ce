"""Trained models as their files hold them, ready to be asked."""

import numpy as np
import torch

from miatlas.running import devices
from miatlas.running.store import attributes, read_h5, read_weights
from miatlas.training.ensemble import Ensemble, stacks
from miatlas.training.estimators import Estimators
from miatlas.training.inputs import class_count, standardised
from miatlas.training.networks import architecture, builder, is_estimator, is_program
from miatlas.training.programs import Programs


def load(population: str, weights: str, settings: dict):
    """Return the models of a block, all examples x (N, ...), their labels (N,), and `stacked`.

    population, weights: files; settings: architecture and engine of the recipe. Models and x are
    on the device that asks; `stacked` says whether all models are asked together.
    """
    device = devices.take()
    x, labels = examples(population, device)
    shape, classes = tuple(x.shape[1:]), class_count(attributes(population), labels)
    found, arrays = architecture(settings["architecture"]), read_weights(weights)
    if is_estimator(found):
        return Estimators.from_weights(arrays, classes), x, labels, True
    make = builder(settings["architecture"], shape, classes)
    if is_program(found):
        return Programs.from_weights(arrays, make(), device), x, labels, False
    group = Ensemble.from_weights(make(), arrays, device)
    return group, x, labels, stacks(settings["engine"], found, shape, device)


def examples(population: str, device) -> tuple[torch.Tensor, np.ndarray]:
    """Return all examples of a population file, standardised, on the device, and their labels."""
    data = read_h5(population, ["x", "labels", "mean", "deviation"])
    scale = float(attributes(population)["scale"])
    return standardised(data["x"], scale, data["mean"], data["deviation"], device), data["labels"]
