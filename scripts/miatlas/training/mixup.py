"""mixup (Zhang et al. 2018): models are trained on weighted means of two examples and labels."""

import numpy as np
import torch
from torch.nn import functional

from miatlas.training.transfers import sent


class Mixup:
    """Mixes every model's own batches with themselves in another order.

    A step's weight is drawn from Beta(alpha, alpha), one for the whole batch, as in the paper's
    Algorithm; weights and orders are of the model's own stream, whatever stack it is in.
    """

    def __init__(self, seeds: list[int], alpha: float, classes: int):
        self.alpha, self.classes = alpha, classes
        self.draws = [np.random.default_rng([seed, 1]) for seed in seeds]

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return x (K, B, ...) mixed, and y (K, B, C), of labels (K, B) or answers (K, B, C)."""
        size = x.shape[1]
        weight = torch.tensor([draws.beta(self.alpha, self.alpha) for draws in self.draws])
        order = torch.from_numpy(np.stack([draws.permutation(size) for draws in self.draws]))
        y = y if y.dim() == 3 else functional.one_hot(y, self.classes).to(x.dtype)
        return mixed(x, weight, order), mixed(y, weight, order)


def mixed(values: torch.Tensor, weight: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Return w v + (1 - w) v[order] of each model: values (K, B, ...), w (K,), order (K, B)."""
    weight, order = (sent(t, values.device) for t in (weight.to(values.dtype), order))
    others = torch.stack([own[places] for own, places in zip(values, order, strict=True)])
    return torch.lerp(others, values, weight.view(-1, *[1] * (values.dim() - 1)))
