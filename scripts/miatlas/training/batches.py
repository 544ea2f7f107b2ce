"""What models are trained on: the data in memory, and every model's own sequence of batches."""

from dataclasses import dataclass

import numpy as np
import torch

from miatlas.training import augmentation
from miatlas.training.mixup import Mixup


@dataclass
class Data:
    """The population on the training device: x (N, ...) float32 and labels (N,) int64.

    `held_out` and `test` are indices (H,), (T,); both may be empty. `taught` (T, N, C) float32 are
    the answers of T teachers, for models that learn from one of them.
    """

    x: torch.Tensor
    labels: torch.Tensor
    held_out: torch.Tensor
    test: torch.Tensor
    taught: torch.Tensor | None = None


@dataclass(frozen=True)
class Model:
    """One model of a block: its number, its training examples (n,), and the seeds it is made of.

    `teacher`: which of the data's teachers it learns from; None: it learns from the labels.
    """

    number: int
    examples: np.ndarray
    weights_seed: int
    order_seed: int
    augmentation_seed: int
    teacher: int | None = None
    noise_seed: int | None = None  # of models with differential privacy


class Batches:
    """Each model's own batches: x (K, B, ...) augmented and y, `steps` of them an epoch.

    y (K, B) are labels, or (K, B, C) the teachers' answers about the untouched examples; with
    `mixup` both are mixed, (K, B, C).

    An epoch is ceil(size / batch_size) full batches, drawn from each model's endless sequence of
    permutations of its examples; `size` is the nominal number of training examples.
    """

    def __init__(self, models: list[Model], recipe: dict, data: Data, size: int):
        for model in models:
            if not len(model.examples):
                raise ValueError(f"model {model.number} has no training examples")
        self.models, self.data, self.size = models, data, min(recipe["batch_size"], size)
        self.steps = -(-size // self.size)
        self.augmentation = dict(recipe["augmentation"])
        self.kind = self.augmentation.pop("name")
        self.queues = [np.empty(0, int) for _ in models]
        self.orders = [np.random.default_rng(model.order_seed) for model in models]
        self.generators = [torch.Generator().manual_seed(m.augmentation_seed) for m in models]
        self.teachers = None
        if models[0].teacher is not None:
            teachers = [model.teacher for model in models]
            self.teachers = torch.tensor(teachers, device=data.x.device)
        self.mixed = lambda x, y: (x, y)
        if recipe.get("mixup"):
            seeds = [model.augmentation_seed for model in models]
            self.mixed = Mixup(seeds, recipe["mixup"], int(data.labels.max()) + 1)
        self.taken = 0  # examples that each model has drawn so far
        self.seen = self.steps * self.size  # in an epoch
        if self.kind == augmentation.ALTERNATING:
            first = [torch.rand(len(data.x), generator=g) < 0.5 for g in self.generators]
            self.first = torch.stack(first)

    def epoch(self):
        """Yield the batches of one epoch."""
        n, device = self.steps * self.size, self.data.x.device
        order = np.stack([self._next(k, n) for k in range(len(self.models))])
        draws = self._draws(torch.from_numpy(order))
        order = torch.from_numpy(order).to(device)  # (K, n)
        for start in range(0, n, self.size):
            now = slice(start, start + self.size)
            index = order[:, now]
            part = {name: drawn[:, now].flatten(0, 1) for name, drawn in draws.items()}
            chosen = self.data.x.index_select(0, index.flatten())  # several times as fast as x[...]
            x = augmentation.apply(chosen, part)  # (K B, ...)
            yield self.mixed(x.unflatten(0, index.shape), self._y(index))

    def _y(self, index):
        if self.teachers is None:
            return self.data.labels.index_select(0, index.flatten()).view(index.shape)
        return self.data.taught[self.teachers[:, None], index]

    def _next(self, k, n):
        """Take the next n examples of model k's endless sequence of permutations."""
        parts = [self.queues[k]]
        while sum(map(len, parts)) < n:
            parts.append(self.orders[k].permutation(self.models[k].examples))
        sequence = np.concatenate(parts)
        self.queues[k] = sequence[n:]
        return sequence[:n]

    def _draws(self, order):
        """Draw an epoch's augmentations, each model's from its own generator: (K, n, ...) each."""
        n, shape, device = order.shape[1], tuple(self.data.x.shape[1:]), self.data.x.device
        draws = [
            augmentation.draw(self.kind, n, shape, generator, **self.augmentation)
            for generator in self.generators
        ]
        draws = {name: torch.stack([d[name] for d in draws]) for name in draws[0]}
        if self.kind == augmentation.ALTERNATING:
            sizes = torch.tensor([len(model.examples) for model in self.models])
            passes = torch.arange(self.taken, self.taken + n) // sizes[:, None]
            draws["mirror"] = augmentation.alternating(self.first, order, passes)
        self.taken += n
        return {name: drawn.to(device) for name, drawn in draws.items()}
