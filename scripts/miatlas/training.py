"""Training K models together.

All randomness of a model comes from its own seeds, so that its initial weights, its data order and
its augmentations are the same whichever block, stack or order it is trained in.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch.nn import functional

from miatlas import augmentation, ensemble
from miatlas.optimization import OPTIMIZERS, SCHEDULES


class Diverged(ValueError):
    """A model's loss is no longer finite."""


@dataclass
class Data:
    """The population on the training device: x (N, ...) float32 and labels (N,) int64.

    `held_out` and `test` are indices (H,), (T,); both may be empty.
    """

    x: torch.Tensor
    labels: torch.Tensor
    held_out: torch.Tensor
    test: torch.Tensor


@dataclass
class Model:
    """One model of a block: its number, its training examples (n,), and the seeds it is made of."""

    number: int
    examples: np.ndarray
    weights_seed: int
    order: np.random.Generator
    augmentation_seed: int


def stacks(engine: str, architecture, device: torch.device) -> bool:
    """Say whether a block's models are trained as one stack (`engine: auto` knows what is faster).

    Networks whose module says STACKABLE = False never are.
    """
    if engine == "stacked" and not architecture.STACKABLE:
        raise ValueError(f"engine: {architecture.__name__} cannot be stacked; use one_by_one")
    if engine == "auto":
        return architecture.STACKABLE
    return engine == "stacked"


class Progress(Protocol):
    """Told after every epoch; `loss` and `accuracy` are means over the models in training."""

    def __call__(self, models: list[int], epoch: int, loss: float, accuracy: float) -> None: ...


def train(make, recipe: dict, data: Data, models: list[Model], size: int, stacked: bool, progress):
    """Train the models on their examples; return their stacked weights and their history.

    `make()` builds one network; `size` is the nominal number of training examples, from which all
    models' epochs are counted: one epoch is ceil(size / batch_size) full batches, drawn from each
    model's own endless sequence of permutations of its examples. The weights map names to (K, ...)
    tensors; the history is a list of rows, one a model and epoch.

    Raises Diverged, naming the model and the step, when a loss is not finite.
    """
    groups = [models] if stacked else [[model] for model in models]
    results = [_train_group(make, recipe, data, group, size, progress) for group in groups]
    weights = {n: torch.cat([w[n] for w, _ in results]) for n in results[0][0]}
    return weights, [row for _, rows in results for row in rows]


def _train_group(make, recipe, data, models, size, progress):
    group = ensemble.build(make, [model.weights_seed for model in models], data.x.device)
    torch.manual_seed(models[0].augmentation_seed)  # dropout, in networks trained one by one
    batches = Batches(models, recipe, data, size)
    optimizer = _named(OPTIMIZERS, recipe["optimizer"])(list(group.parameters.values()))
    schedule = _named(SCHEDULES, recipe["schedule"])
    average = Average(group, recipe["ema"]) if recipe["ema"] else None
    best = Best(group, recipe["early_stopping"]) if recipe["early_stopping"] else None
    base_rate, total = optimizer.param_groups[0]["lr"], recipe["epochs"] * batches.steps
    history = []
    for epoch in range(recipe["epochs"]):
        losses, correct = [], 0
        for index, (x, y) in enumerate(batches.epoch()):
            done = (epoch * batches.steps + index + 1) / total
            optimizer.param_groups[0]["lr"] = base_rate * schedule(done)
            loss, hits = _step(group, optimizer, x, y, recipe)
            losses.append(loss)
            correct = correct + hits
            if average:
                average.update(group)
        losses = torch.stack(losses, 1).cpu()  # (K, steps)
        _check_finite(losses, models, epoch * batches.steps)
        accuracy = correct.cpu() / (batches.steps * batches.size)
        progress(
            [model.number for model in models], epoch, losses.mean().item(), accuracy.mean().item()
        )
        history += _rows(models, epoch, losses.mean(1), accuracy)
        if best and best.update(average.group if average else group, data):
            break
    final = best.group if best else average.group if average else group
    _final_accuracy(final, data, models, history)
    return {name: tensor.clone() for name, tensor in final.weights().items()}, history


def _step(group, optimizer, x, y, recipe):
    """One step of every model: x (K, B, ...), y (K, B) -> losses (K,), correct answers (K,)."""
    group.network.train()
    with torch.autocast(x.device.type, torch.bfloat16, enabled=recipe["precision"] == "bfloat16"):
        logits = group(x).float()  # (K, B, C)
    each = functional.cross_entropy(
        logits.flatten(0, 1),
        y.flatten(),
        reduction="none",
        label_smoothing=recipe["label_smoothing"],
    )
    losses = each.view(y.shape).mean(1)
    optimizer.zero_grad(set_to_none=True)
    losses.sum().backward()  # models share no parameter: each gets its own gradient
    if recipe["gradient_clip"]:
        clip(group, recipe["gradient_clip"])
    optimizer.step()
    return losses.detach(), (logits.detach().argmax(-1) == y).sum(1)


def clip(group, limit: float) -> None:
    """Scale each model's gradient to a norm of at most `limit`."""
    gradients = [parameter.grad for parameter in group.parameters.values()]
    norm = sum(g.flatten(1).square().sum(1) for g in gradients).sqrt()  # (K,)
    scale = (limit / (norm + 1e-6)).clamp(max=1)
    for gradient in gradients:
        gradient *= scale.view(-1, *[1] * (gradient.dim() - 1))


class Batches:
    """Each model's own batches: x (K, B, ...) augmented and y (K, B), `steps` of them an epoch."""

    def __init__(self, models: list[Model], recipe: dict, data: Data, size: int):
        self.models, self.data, self.size = models, data, min(recipe["batch_size"], size)
        self.steps = -(-size // self.size)
        self.augmentation = dict(recipe["augmentation"])
        self.kind = self.augmentation.pop("name")
        self.queues = [np.empty(0, int) for _ in models]
        self.generators = [torch.Generator().manual_seed(m.augmentation_seed) for m in models]

    def epoch(self):
        """Yield the batches of one epoch."""
        n, device = self.steps * self.size, self.data.x.device
        order = np.stack([self._next(k, n) for k in range(len(self.models))])
        order = torch.from_numpy(order).to(device)  # (K, n)
        draws = self._draws(n)
        for start in range(0, n, self.size):
            index = order[:, start : start + self.size]
            x = self.data.x[index.flatten()]  # (K B, ...)
            if self.kind != "none":
                part = {
                    name: d[:, start : start + self.size].flatten(0, 1) for name, d in draws.items()
                }
                x = augmentation.apply(x, part)
            yield x.unflatten(0, index.shape), self.data.labels[index]

    def _next(self, k, n):
        """Take the next n examples of model k's endless sequence of permutations."""
        model, parts = self.models[k], [self.queues[k]]
        while sum(map(len, parts)) < n:
            parts.append(model.order.permutation(model.examples))
        sequence = np.concatenate(parts)
        self.queues[k] = sequence[n:]
        return sequence[:n]

    def _draws(self, n):
        shape, device = tuple(self.data.x.shape[1:]), self.data.x.device
        if self.kind == "none":
            return {}
        draws = [
            augmentation.draw(self.kind, n, shape, generator, **self.augmentation)
            for generator in self.generators
        ]
        return {name: torch.stack([d[name] for d in draws]).to(device) for name in draws[0]}


class Average:
    """The exponential moving average of an ensemble's weights, which is what is released."""

    def __init__(self, group, decay: float):
        self.decay, self.group = decay, _copy(group)

    def update(self, group):
        """Move the averaged parameters towards the current ones; take over the buffers."""
        average = list(self.group.parameters.values())
        current = [p.detach() for p in group.parameters.values()]
        torch._foreach_lerp_(average, current, 1 - self.decay)
        for name, buffer in group.buffers.items():
            self.group.buffers[name].copy_(buffer)


class Best:
    """Each model's weights at its lowest held-out loss (early stopping)."""

    def __init__(self, group, patience: int):
        self.group, self.patience = _copy(group), patience
        self.lowest = torch.full((group.models,), float("inf"))
        self.waited = torch.zeros(group.models, dtype=int)

    def update(self, group, data) -> bool:
        """Keep what is better; return whether every model has waited for `patience` epochs."""
        loss = held_out_loss(group, data).cpu()
        running = self.waited < self.patience
        better = (loss < self.lowest) & running
        self.lowest = torch.where(better, loss, self.lowest)
        self.waited = torch.where(better, 0, self.waited + 1)
        best = self.group.weights()
        for name, tensor in group.weights().items():
            best[name][better] = tensor[better]
        return not (self.waited < self.patience).any()


def held_out_loss(group, data: Data, batch: int = 1000) -> torch.Tensor:
    """Return the mean cross-entropy (K,) on the held-out examples, in evaluation mode."""
    total = 0
    for index in data.held_out.split(batch):
        logits = group.answer(data.x[index]).float()
        y = data.labels[index].expand(group.models, -1)
        loss = functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
        total = total + loss.view(y.shape).sum(1)
    return total / len(data.held_out)


def _final_accuracy(group, data, models, history):
    """Write train and test accuracy into the last row of each model.

    Without test examples, accuracy is measured on all that the model did not train on.
    """
    correct = torch.cat(
        [
            (group.answer(x).argmax(-1) == y).cpu()
            for x, y in zip(data.x.split(1000), data.labels.split(1000), strict=True)
        ],
        1,
    ).numpy()  # (K, N)
    last = {row["model"]: row for row in history}
    for hits, model in zip(correct, models, strict=True):
        trained = np.zeros(len(hits), bool)
        trained[model.examples] = True
        others = data.test.cpu().numpy() if len(data.test) else np.flatnonzero(~trained)
        last[model.number]["train_accuracy"] = float(hits[trained].mean())
        last[model.number]["test_accuracy"] = float(hits[others].mean())


def _rows(models, epoch, losses, accuracy):
    return [
        {"model": model.number, "epoch": epoch + 1, "loss": float(loss), "accuracy": float(hits)}
        for model, loss, hits in zip(models, losses, accuracy, strict=True)
    ]


def _check_finite(losses, models, first_step):
    bad = torch.nonzero(~torch.isfinite(losses))
    if len(bad):
        step, k = min((int(step), int(k)) for k, step in bad)
        raise Diverged(
            f"model {models[k].number} diverged: its loss is not finite at step {first_step + step}"
        )


def _named(functions, entry):
    options = {key: value for key, value in entry.items() if key != "name"}
    return lambda argument: functions[entry["name"]](argument, **options)


def _copy(group):
    clone = lambda tensors: {n: t.detach().clone() for n, t in tensors.items()}  # noqa: E731
    return ensemble.Ensemble(group.network, clone(group.parameters), clone(group.buffers))
