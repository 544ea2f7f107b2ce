"""A recipe at the size of a benchmark of GPUs, and the clock of its training."""

import json
import sys
import time
from importlib import import_module

import numpy as np
import torch
from gpu_recipes import FILE
from measuring import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))

from miatlas.training import trainer as training
from miatlas.training.batches import Data, Model
from miatlas.training.initial_weights import maker

RECIPES = {  # name -> the models of a stack, and options of a tiny network
    "fast": (64, {"widths": [24, 8, 8]}),
    "wide_resnet": (32, {"depth": 10, "width": 1}),
    "cnn": (64, {"filters": 4}),
}
SHAPE, CLASSES = (3, 32, 32), 10
STEPS, EPOCHS = 10, 3  # of each model; its first epoch is not counted
FEW = 8  # models that are trained one by one, in each process


class Trial:
    """A recipe at the size of a benchmark, with data for it on the device."""

    def __init__(self, name: str, quick: bool, device: torch.device, **changes):
        self.stack, tiny = RECIPES[name]
        given = json.loads(FILE.read_text())[name]
        if quick:
            given["architecture"] |= tiny
            given["batch_size"], self.stack = 4, 2
        self.recipe = {**given, "epochs": EPOCHS, **changes}
        self.name, self.quick, self.device = name, quick, device
        self.few, self.steps = (1, 2) if quick else (FEW, STEPS)
        self.examples = self.steps * self.recipe["batch_size"]
        self.data = images(2 * self.examples, device)
        architecture = import_module(
            f"miatlas.training.architectures.{given['architecture']['name']}"
        )
        settings = {"recipe": self.recipe, "seed": 0, "cohort": name}
        self.make = maker(architecture, self.data, SHAPE, CLASSES, settings)

    def train(self, models: int, engine: str, clock=lambda *_: None):
        """Train models on halves of the data by an engine of recipes; return their weights."""
        half = np.arange(self.examples)
        group = [Model(m, 2 * half + m % 2, *[3 * m + i for i in range(3)]) for m in range(models)]
        recipe, at_once = self.recipe | {"engine": engine}, 1 if engine == "one_by_one" else models
        return training.train(self.make, recipe, self.data, group, self.examples, at_once, clock)[0]


class Clock:
    """Adds up the time of all epochs but each model's first; losses are on the CPU by then."""

    def __init__(self):
        self.seconds, self.epochs, self.last = 0.0, 0, 0.0

    def __call__(self, models, epoch, loss, accuracy):
        """Be told of a finished epoch."""
        now = time.perf_counter()
        if epoch:
            self.seconds, self.epochs = self.seconds + now - self.last, self.epochs + len(models)
        self.last = now


def images(count: int, device) -> Data:
    """Return images of ten classes, a pattern each, drowned in noise."""
    generator = torch.Generator().manual_seed(0)
    labels, none = torch.arange(count) % CLASSES, torch.empty(0, dtype=torch.long, device=device)
    patterns = torch.randn(CLASSES, *SHAPE, generator=generator)
    x = torch.randn(count, *SHAPE, generator=generator) + 0.2 * patterns[labels]
    return Data(x.to(device), labels.to(device), none, none)
