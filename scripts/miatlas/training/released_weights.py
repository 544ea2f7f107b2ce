"""Which weights of a training are released: the last, their moving average, or the best ones."""

import torch

from miatlas.training.batches import Data
from miatlas.training.ensemble import Ensemble


class Average:
    """The exponential moving average of an ensemble's weights over its steps.

    After t steps the weights of step i have the share decay^(t-i) / (1 + decay + ... + decay^(t-1))
    and the initial weights none, so that short trainings can be averaged too. Decay 1: plain mean.

    The running statistics of norms are averaged alike, as in carlini2022's released code (objax)
    and timm: the last batches' are those of the last weights, not of the averaged ones. Recomputed
    over training batches they would fit best, but be of batches drawn anew.
    """

    def __init__(self, group: Ensemble, decay: float):
        self.decay, self.group, self.mass = decay, _copy(group), 0.0

    def update(self, group: Ensemble) -> None:
        """Move the averaged weights towards the current ones; take over what only counts."""
        self.mass = 1 + self.decay * self.mass
        average, current = self.group.weights(), group.weights()
        real = [name for name, tensor in current.items() if tensor.is_floating_point()]
        whole = [name for name in current if name not in real]
        torch._foreach_lerp_([average[n] for n in real], [current[n] for n in real], 1 / self.mass)
        for name in whole:
            average[name].copy_(current[name])


class Best:
    """Each model's weights at its lowest held-out loss, or error rate (early stopping).

    A model stops, and `running` (K,) is False for it, when its loss has not fallen for `patience`
    epochs. The stack goes on until all have stopped; what a stopped model does there is ignored.
    """

    def __init__(self, group: Ensemble, patience: int):
        self.group, self.patience = _copy(group), patience
        self.lowest = torch.full((group.models,), float("inf"))
        self.waited = torch.zeros(group.models, dtype=int)

    @property
    def running(self) -> torch.Tensor:
        """Say which models have not stopped."""
        return self.waited < self.patience

    def update(self, group: Ensemble, data: Data, judge) -> None:
        """Take over the weights of the running models that have become better.

        `judge(outputs, index)` gives the losses (K, n) of outputs about some examples.
        """
        loss = held_out_loss(group, data, judge).cpu()
        better = (loss < self.lowest) & self.running
        self.lowest = torch.where(better, loss, self.lowest)
        self.waited = torch.where(better, 0, self.waited + 1)
        best = self.group.weights()
        for name, tensor in group.weights().items():
            best[name][better] = tensor[better]


def held_out_loss(group: Ensemble, data: Data, judge) -> torch.Tensor:
    """Return the mean loss (K,) on the held-out examples, in evaluation mode."""
    total = 0
    for where in group.slices(len(data.held_out), data.x):
        index = data.held_out[where]
        total = total + judge(group.answer(data.x[index]).float(), index).sum(1)
    return total / len(data.held_out)


def _copy(group):
    parameters, buffers = (
        {name: tensor.detach().clone() for name, tensor in tensors.items()}
        for tensors in (group.parameters, group.buffers)
    )
    return Ensemble(group.network, parameters, buffers)
