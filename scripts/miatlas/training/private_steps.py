"""DP-SGD (Abadi et al. 2016) for K models: Poisson batches, clipped gradients, noise, and their ε.

Each model draws every example by a coin of its own at rate q = B / n, clips each example's gradient
to norm C, adds noise of deviation σ C to their sum, and divides it by B. What optimisers, schedules
and averages make of it afterwards discloses no more. n is the model's own number of examples. The
noise is of a stream of the model's own, so that it is the same in every block and stack.
"""

import sys

import torch
from torch.nn.utils.rnn import pad_sequence

from miatlas.training import accounting, augmentation
from miatlas.training.batches import Batches, Data, Model
from miatlas.training.private_gradients import clipped_sums
from miatlas.training.transfers import sent


class PoissonBatches(Batches):
    """Each model's own batches, of as many examples as its coins say: x, y and `there` (K, B) bool.

    B is the largest batch of the step; what is not `there` fills up the others. An epoch is as many
    steps as of full batches: ceil(size / batch_size).
    """

    def __init__(self, models: list[Model], recipe: dict, data: Data, size: int):
        super().__init__(models, recipe, data, size)
        self.rates = [min(1.0, self.size / len(model.examples)) for model in models]

    def epoch(self):
        """Yield the batches of one epoch; `seen` (K,) is how many examples they were."""
        self.seen = 0
        for _ in range(self.steps):
            drawn = [
                torch.from_numpy(model.examples[order.random(len(model.examples)) < rate])
                for model, order, rate in zip(self.models, self.orders, self.rates, strict=True)
            ]
            counts = torch.tensor([len(examples) for examples in drawn])
            self.seen = self.seen + counts
            yield self._batch(drawn, counts)

    def _batch(self, drawn, counts):
        device = self.data.x.device
        index = sent(pad_sequence(drawn, batch_first=True), device)  # (K, B)
        if not index.shape[1]:
            index = index.new_zeros(len(drawn), 1)
        there = sent(torch.arange(index.shape[1]) < counts[:, None], device)
        moves = {name: sent(drawn, device) for name, drawn in self._moves(drawn).items()}
        moved = augmentation.apply(self.data.x.index_select(0, index.flatten()), moves)
        return moved.unflatten(0, index.shape), self._y(index), there

    def _moves(self, drawn):
        """Draw the augmentations of one step, each model's from its own generator: (K B, ...)."""
        shape, longest = tuple(self.data.x.shape[1:]), max(1, *map(len, drawn))
        draws = [
            augmentation.draw(self.kind, len(own), shape, generator, **self.augmentation)
            for own, generator in zip(drawn, self.generators, strict=True)
        ]
        return {name: _filled([d[name] for d in draws], longest).flatten(0, 1) for name in draws[0]}


def _filled(rows, length):
    """Return rows (n_k, ...) of several lengths as one tensor (K, length, ...)."""
    filled = rows[0].new_zeros(len(rows), length, *rows[0].shape[1:])
    for own, row in zip(filled, rows, strict=True):
        own[: len(row)] = row
    return filled


class PrivateSteps:
    """The steps of K models with what their privacy is: `noise` (K,) and, at the end, `epsilon`.

    Raises ValueError if the ε that is asked for is not reached by any noise.
    """

    def __init__(self, privacy: dict, models: list[Model], batches: PoissonBatches, steps: int):
        self.clip, self.batch = privacy["clip"], batches.size
        terms = privacy["delta"], privacy["accountant"]
        self.noise = [
            accounting.noise_for(privacy["epsilon"], rate, steps, *terms)
            if privacy["noise"] is None
            else privacy["noise"]
            for rate in batches.rates
        ]
        self.epsilon = [
            accounting.epsilon(noise, rate, steps, *terms)
            for noise, rate in zip(self.noise, batches.rates, strict=True)
        ]
        _warn(models, privacy["delta"])
        device = batches.data.x.device
        self.generators = [torch.Generator(device).manual_seed(m.noise_seed) for m in models]
        self.said = [
            {"epsilon": e, "delta": privacy["delta"], "clip": self.clip, "noise": noise,
             "accountant": privacy["accountant"]}
            for e, noise in zip(self.epsilon, self.noise, strict=True)
        ]  # fmt: skip

    def __call__(self, group, optimizer, x, y, there, *, loss, precision):
        """Take one step of every model; return their mean losses and numbers of hits (K,).

        `loss(logits, y)` gives each example's own (K, B).
        """
        optimizer.zero_grad()
        with torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            sums, losses, logits = clipped_sums(group, x, y, there, self.clip, loss)
        noise = self._noise(group)
        for name, parameter in group.parameters.items():
            total = sums[name] + noise[name] if noise else sums[name]
            parameter.grad = total / self.batch
        optimizer.step()
        likeliest = y.argmax(-1) if y.dim() == 3 else y
        hits = ((logits.max(-1).indices == likeliest) & there).sum(1)
        return (losses * there).sum(1) / there.sum(1).clamp(min=1), hits

    def _noise(self, group):
        """Return the noise on each parameter by name, (K, ...); {} if there is none.

        A model's is drawn in one piece, in the order of its parameters.
        """
        if not any(self.noise):
            return {}
        sizes = {name: p[0].numel() for name, p in group.parameters.items()}
        first = next(iter(group.parameters.values()))
        drawn = first.new_empty(group.models, sum(sizes.values()))
        for row, deviation, generator in zip(drawn, self.noise, self.generators, strict=True):
            row.normal_(0.0, deviation * self.clip, generator=generator)
        parts = drawn.split(list(sizes.values()), 1)
        return {
            name: part.view_as(group.parameters[name])
            for name, part in zip(sizes, parts, strict=True)
        }


def refuse_batch_norms(network: torch.nn.Module) -> None:
    """Refuse a network whose answers about an example depend on others: no gradient is its own."""
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.modules.batchnorm._NormBase):
            if isinstance(module, torch.nn.modules.instancenorm._InstanceNorm):
                continue
            raise ValueError(
                f"privacy: the network has batch norms ({name}), which mix a batch's examples: take"
                " group norms in their place"
            )


def _warn(models, delta):
    """Say that δ is so large that publishing one example in full would be allowed."""
    smallest = min(len(model.examples) for model in models)
    if delta >= 1 / smallest:
        print(
            f"miatlas: privacy.delta is {delta:g}, not below 1 / {smallest:,} training examples:"
            " an example given away whole would satisfy it",
            file=sys.__stderr__,
        )
