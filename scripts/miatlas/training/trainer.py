"""Training K models together.

All randomness of a model comes from its own seeds, so that its initial weights, its data order and
its augmentations are the same whichever block, stack or order it is trained in.
"""

from functools import partial
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch

from miatlas.training import ensemble
from miatlas.training.batches import Batches, Data, Model
from miatlas.training.compiled_networks import network_call
from miatlas.training.divergence import check_losses, check_weights
from miatlas.training.gradients import InTurn, Together, in_turn
from miatlas.training.objectives import Classes, Objective
from miatlas.training.optimization import OPTIMIZERS, SCHEDULES
from miatlas.training.private_steps import PoissonBatches, PrivateSteps, refuse_batch_norms
from miatlas.training.released_weights import Average, Best


class Progress(Protocol):
    """Told after every epoch; `loss` and `accuracy` are means over the models in training."""

    def __call__(self, models: list[int], epoch: int, loss: float, accuracy: float) -> None: ...


def train(
    make, recipe: dict, data: Data, models: list[Model], size: int, at_once: int, progress,
    objective: Objective | None = None,
):  # fmt: skip
    """Train the models on their examples; return their stacked weights and their history.

    `make()` builds one network; `size` is the nominal number of training examples, from which all
    models' epochs are counted (see `Batches`). At most `at_once` models are trained as one stack:
    half as many, once more from the start, if a GPU's memory does not hold them. The weights map
    names to (K, ...) tensors; the history is a list of rows, one a model and epoch. `objective`:
    what for (default: the classes, smoothed as the recipe says).

    Raises Diverged, naming the model and the step, when a loss is not finite.
    """
    stopped_by = recipe.get("early_stopping_by", "loss")
    objective = objective or Classes(recipe["label_smoothing"], stopped_by)
    trained = partial(_train_groups, make, recipe, data, models, size, progress, objective)
    try:
        results = trained(at_once)
    except torch.OutOfMemoryError:
        if at_once == 1:
            raise
        results = None  # and the exception is left, which holds the stack
    if results is None:
        print(f"a stack of {at_once} models does not fit into memory: half of it is tried")
        torch.cuda.empty_cache()
        results = trained(at_once // 2)
    weights = {n: torch.cat([w[n] for w, _ in results]) for n in results[0][0]}
    return weights, [row for _, rows in results for row in rows]


def _train_groups(make, recipe, data, models, size, progress, objective, at_once):
    parts = groups(models, at_once)
    return [_train_group(make, recipe, data, group, size, progress, objective) for group in parts]


def groups(models: list, at_once: int) -> list[list]:
    """Cut models into as few groups as there are of at most `at_once`, all of about one size."""
    parts = -(-len(models) // at_once)
    ends = [i * len(models) // parts for i in range(parts + 1)]
    return [models[start:end] for start, end in pairwise(ends)]


def _train_group(make, recipe, data, models, size, progress, objective):
    group = ensemble.build(make, [model.weights_seed for model in models], data.x.device)
    torch.manual_seed(models[0].augmentation_seed)  # dropout, in networks trained one by one
    batches, step = _steps(group, models, recipe, data, size, objective)
    optimizer = _named(OPTIMIZERS, recipe["optimizer"])(list(group.parameters.values()))
    rates = _rates(recipe, optimizer.lr, batches.steps)
    average = Average(group, recipe["ema"]) if recipe["ema"] else None
    best = Best(group, recipe["early_stopping"]) if recipe["early_stopping"] else None
    running, history = torch.ones(len(models), dtype=bool), []
    for epoch in range(recipe["epochs"]):
        losses, accuracy = _epoch(group, optimizer, rates, batches, step, average)
        check_losses(losses, running, models, epoch * batches.steps)
        history += _rows(models, running, epoch, losses.mean(1), accuracy)
        shown = losses[running].mean().item(), accuracy[running].mean().item()
        progress([model.number for model in models], epoch, *shown)
        if best:
            best.update(average.group if average else group, data, objective.judge(data, models))
            running = best.running
        if not running.any():
            break
    final = best.group if best else average.group if average else group
    check_weights(final, models)
    if objective.classifies:
        _final_accuracy(final, data, models, history)
    if recipe.get("privacy"):
        _say_privacy(step.func.said, models, history)
    return {name: tensor.clone() for name, tensor in final.weights().items()}, history


def _steps(group, models, recipe, data, size, objective):
    """Return the batches, and what takes a step on one: plain ones, or those of DP-SGD."""
    if not recipe.get("privacy"):
        batches = Batches(models, recipe, data, size)
        gradients = _gradients(group, recipe, batches, objective, data.x.device)
        return batches, partial(_step, gradients=gradients, limit=recipe["gradient_clip"])
    refuse_batch_norms(group.network)
    batches = PoissonBatches(models, recipe, data, size)
    total = recipe["epochs"] * batches.steps
    private = PrivateSteps(recipe["privacy"], models, batches, total)
    return batches, partial(private, loss=objective.each, precision=recipe["precision"])


def _gradients(group, recipe, batches, objective, device):
    """Return what takes the gradients of all models: in turn, compiled where it pays, or as one."""
    given = group, recipe["precision"], objective
    if group.models == 1 or not in_turn(recipe.get("engine", "auto"), group.network, device):
        return Together(*given)
    images = group.models * recipe["epochs"] * batches.seen
    return InTurn(*given, network_call(device, images, batches.size))


def _epoch(group, optimizer, rates, batches, step, average):
    """Train for one epoch; return the losses (K, steps) and the accuracy (K,) on its batches."""
    group.network.train()
    losses, correct = [], 0
    for batch in batches.epoch():
        optimizer.lr = next(rates)
        loss, hits = step(group, optimizer, *batch)
        losses.append(loss)
        correct = correct + hits
        if average:
            average.update(group)
    return torch.stack(losses, 1).cpu(), correct.cpu() / batches.seen


def _step(group, optimizer, x, y, *, gradients, limit):
    """One step of every model: x (K, B, ...), y as of `Batches` -> losses, correct answers (K,)."""
    losses, hits = gradients(x, y)
    if limit:
        clip(group, limit)
    optimizer.step()
    return losses, hits


def clip(group, limit: float) -> None:
    """Scale each model's gradient to a norm of at most `limit`."""
    gradients = [parameter.grad for parameter in group.parameters.values()]
    norm = sum(g.reshape(len(g), -1).square().sum(1) for g in gradients).sqrt()  # (K,)
    scale = (limit / (norm + 1e-6)).clamp(max=1)
    for gradient in gradients:
        gradient *= scale.view(-1, *[1] * (gradient.dim() - 1))


def _rates(recipe, base, steps):
    """Yield the learning rate of every step: the schedule's at the middle of the step."""
    schedule, total = _named(SCHEDULES, recipe["schedule"]), recipe["epochs"] * steps
    return (base * schedule((step + 0.5) / total) for step in range(total))


def _named(functions, entry):
    options = {key: value for key, value in entry.items() if key != "name"}
    return partial(functions[entry["name"]], **options)


def _rows(models, running, epoch, losses, accuracy):
    return [
        {
            "model": model.number,
            "epoch": epoch + 1,
            "loss": float(loss),
            "accuracy": float(hits),
            "stack": len(models),
        }
        for model, runs, loss, hits in zip(models, running, losses, accuracy, strict=True)
        if runs
    ]


def _say_privacy(said, models, history):
    """Write what the privacy of each model is into its last row."""
    last = {row["model"]: row for row in history}
    for model, own in zip(models, said, strict=True):
        last[model.number] |= own


def _final_accuracy(group, data, models, history):
    """Write train and test accuracy into the last row of each model.

    Without test examples, accuracy is measured on all that the model did not train on.
    """
    trained = np.zeros((len(models), len(data.x)), bool)
    for row, model in zip(trained, models, strict=True):
        row[model.examples] = True
    others = np.zeros_like(trained) if len(data.test) else ~trained
    others[:, data.test.cpu().numpy()] = True
    asked = np.flatnonzero((trained | others).any(0))
    correct = _correct(group, data, torch.from_numpy(asked).to(data.x.device))
    last = {row["model"]: row for row in history}
    for k, model in enumerate(models):
        last[model.number]["train_accuracy"] = float(correct[k, trained[k, asked]].mean())
        last[model.number]["test_accuracy"] = float(correct[k, others[k, asked]].mean())


def _correct(group, data, index):
    """Say which of the examples `index` (n,) each model labels rightly: (K, n) bool array."""
    parts = [index[where] for where in group.slices(len(index), data.x)]
    right = [group.answer(data.x[part]).argmax(-1) == data.labels[part] for part in parts]
    return torch.cat(right, 1).cpu().numpy()
