"""Models whose training diverged: refused by name, before their weights are written."""

import torch


class Diverged(ValueError):
    """A model's loss is no longer finite."""


def check_losses(losses, running, models, first_step: int) -> None:
    """Refuse losses (K, steps) that are not finite, in the models that are still running."""
    bad = torch.nonzero(~torch.isfinite(losses) & running[:, None])
    if len(bad):
        step, k = min((int(step), int(k)) for k, step in bad)
        raise Diverged(
            f"model {models[k].number} diverged: its loss is not finite at step {first_step + step}"
        )


def check_weights(group, models) -> None:
    """Refuse released weights that are not finite: the last step has no loss after it."""
    for tensor in group.weights().values():
        finite = torch.isfinite(tensor.reshape(len(models), -1)).all(1)
        if not finite.all():
            number = models[int(finite.int().argmin())].number
            raise Diverged(f"model {number} diverged: its weights are not finite after training")
