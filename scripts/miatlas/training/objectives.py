"""What models are trained for: classes, or the law of a number.

An objective has `each(outputs, y)`, the losses (K, B) of outputs (K, B, C) in training; `hits`, how
many of a batch are right (K,), NaN where that has no meaning; and `judge(data, models)`, which
returns what early stopping goes by: a function of outputs (K, n, C) about the examples `index`
(n,), whose losses (K, n) it returns.
"""

from typing import Protocol

import torch
from torch.nn import functional

from miatlas.training.batches import Data, Model


class Objective(Protocol):
    """What a training minimises; `classifies`: whether its outputs are logits of classes."""

    classifies: bool

    def each(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor: ...
    def hits(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor: ...
    def judge(self, data: Data, models: list[Model]): ...


class Classes:
    """Cross-entropy with labels y (K, B), or with soft ones (K, B, C), smoothed."""

    classifies = True

    def __init__(self, smoothing: float = 0.0, stopped_by: str = "loss"):
        self.smoothing, self.stopped_by = smoothing, stopped_by

    def each(self, outputs, y):
        """Return each example's cross-entropy (K, B)."""
        return each_cross_entropy(outputs, y, self.smoothing)

    def hits(self, outputs, y):
        """Return how many likeliest classes are right (K,)."""
        likeliest = y.argmax(-1) if y.dim() == 3 else y
        return (outputs.max(-1).indices == likeliest).sum(1)

    def judge(self, data, models):
        """Go by the labels, unsmoothed, also where teachers' answers are learned.

        An example's loss is its cross-entropy, or, stopped by the accuracy, whether it is wrong.
        """

        def losses(outputs, index):
            labels = data.labels[index].expand(len(outputs), -1)
            if self.stopped_by == "accuracy":
                return (outputs.max(-1).indices != labels).float()
            return each_cross_entropy(outputs, labels, 0.0)

        return losses


class Law:
    """The law of a number, of which each model has its own: `data.taught` (T, N, 1).

    `outputs`: how many numbers describe the law.
    """

    classifies = False
    outputs: int

    def hits(self, outputs, y):
        """Return NaN (K,): no law is right about an example."""
        return outputs.new_full(outputs.shape[:1], torch.nan)

    def judge(self, data, models):
        """Go by the same losses on held-out examples."""
        own = torch.tensor([model.teacher for model in models], device=data.x.device)
        return lambda outputs, index: self.each(outputs, data.taught[own[:, None], index])


class Normal(Law):
    """A normal law, by maximum likelihood: outputs are mu and, up to a limit, log sigma."""

    outputs = 2
    LIMIT = 5.0  # of |log sigma|: neither a loss nor a gradient overflows

    def each(self, outputs, y):
        """Return -log N(y; mu, sigma²) (K, B), without the constant."""
        mu, log_sigma = outputs[..., 0], self._log_sigma(outputs)
        return log_sigma + 0.5 * ((y[..., 0] - mu) * (-log_sigma).exp()).square()

    def described(self, outputs, mean: torch.Tensor, deviation: torch.Tensor):
        """Return mu, sigma (K, n, 2) in units of the number: y is what it was, standardised."""
        mu, sigma = outputs[..., 0], self._log_sigma(outputs).exp()
        return torch.stack([mu * deviation + mean, sigma * deviation], -1)

    def _log_sigma(self, outputs):
        return self.LIMIT * torch.tanh(outputs[..., 1] / self.LIMIT)


class Quantiles(Law):
    """Quantiles, by the pinball loss (Koenker & Bassett 1978): an output for each of `shares`."""

    def __init__(self, shares: tuple[float, ...]):
        self.shares, self.outputs = shares, len(shares)

    def each(self, outputs, y):
        """Return the pinball loss, summed over the shares (K, B)."""
        above = (y - outputs).unbind(-1)
        each = zip(self.shares, above, strict=True)  # numbers of Python: nothing goes to the device
        return sum(torch.maximum(share * part, (share - 1) * part) for share, part in each)

    def described(self, outputs, mean: torch.Tensor, deviation: torch.Tensor):
        """Return the quantiles (K, n, shares) in units of the number."""
        return outputs * deviation[..., None] + mean[..., None]


def cross_entropy(logits, y, smoothing: float):
    """Return the mean cross-entropy (K,) of logits (K, B, C); y are labels (K, B), or (K, B, C)."""
    return each_cross_entropy(logits, y, smoothing).mean(1)


def each_cross_entropy(logits, y, smoothing: float):
    """Return each example's cross-entropy (K, B), of the same.

    Classes come first in memory: a CPU takes a tenth of the time for the same sums.
    """
    first = lambda rows: rows.flatten(0, 1).T.contiguous()[None]  # noqa: E731 (K, B, C) -> (1, C, KB)
    y = first(y) if y.dim() == 3 else y.reshape(1, -1)
    each = functional.cross_entropy(first(logits), y, reduction="none", label_smoothing=smoothing)
    return each.view(logits.shape[:2])
