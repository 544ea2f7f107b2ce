"""Regressors (Bertran et al. 2023): what each model answers about an example it has not seen."""

import math

import numpy as np
import torch

from miatlas.training import trainer as training
from miatlas.training.batches import Data, Model
from miatlas.training.ensemble import Ensemble
from miatlas.training.objectives import Law

JUDGES = 0.2  # of the held-out examples, by whose loss the best epoch is chosen
FEWEST = 10  # held-out examples


def split(held_out: np.ndarray, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the held-out examples that are learned, and those that judge: JUDGES of all, by lot.

    Raises ValueError if there are fewer than FEWEST.
    """
    if len(held_out) < FEWEST:
        raise ValueError(
            f"regressors learn from held-out examples, and {len(held_out)} are fewer than {FEWEST}"
        )
    judges = draws.choice(held_out, math.ceil(JUDGES * len(held_out)), replace=False)
    return np.setdiff1d(held_out, judges), np.sort(judges)


class Standardised:
    """Answers s (T, N) with each model's mean and deviation over some examples taken out."""

    def __init__(self, s: torch.Tensor, examples: np.ndarray):
        known = s[:, torch.from_numpy(examples).to(s.device)]
        self.mean = known.mean(1, keepdim=True)
        self.deviation = known.std(1, keepdim=True).clamp(min=1e-6)
        self.values = (s - self.mean) / self.deviation


def regress(
    make, recipe: dict, law: Law, data: Data, models: list[Model], at_once: int, progress
) -> torch.Tensor:
    """Return each model's outputs about every example, (T, N, outputs).

    `make()` builds a network of as many outputs as the law has. A model's `examples` are those that
    it learns from, `data.taught` (T, N, 1) its numbers, and `data.held_out` the examples that
    judge, by which the recipe's `early_stopping` goes. Raises Diverged as the trainer does.
    """

    def advance(models, epoch, loss, accuracy):
        progress.advance(1, f"loss {loss:.3f}", f", epoch {epoch + 1}, loss {loss:.4f}")

    size = len(models[0].examples)
    weights, _ = training.train(make, recipe, data, models, size, at_once, advance, law)
    group = Ensemble.from_weights(make(), weights, data.x.device)
    parts = [group.answer(data.x[where]).float() for where in group.slices(len(data.x), data.x)]
    return torch.cat(parts, 1)
