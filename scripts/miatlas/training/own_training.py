"""Models that a user's own function trains, one call a model."""

import torch

from miatlas.training.accuracy import measured
from miatlas.training.batches import Data, Model
from miatlas.training.ensemble import Ensemble


def train(own, build, data: Data, models: list[Model], classes: int, progress):
    """Return the models' stacked weights, and their history: a row a model, without epochs.

    `own.train(x, labels, seed, device, classes)` is called with a model's examples, as the models
    see them, and its own seed, to which torch is set before. `build()` makes a network of the same
    kind, into which the weights must fit. Raises ValueError, naming the file and the model, where
    they do not or are not finite.
    """
    expected = _shapes(build())
    networks = []
    for model in models:
        index = torch.from_numpy(model.examples).to(data.x.device)
        torch.manual_seed(model.weights_seed)
        x, y = data.x[index], data.labels[index]
        network = own.train(x, y, model.weights_seed, data.x.device, classes).eval()
        _check(own, network, expected, model.number)
        networks.append(network)
        progress([model.number], 0, float("nan"), float("nan"))
    group = Ensemble.from_networks(networks, data.x.device)
    weights = {name: tensor.detach().clone() for name, tensor in group.weights().items()}
    return weights, [_row(group, data, k, model) for k, model in enumerate(models)]


def _shapes(network):
    every = [*network.named_parameters(), *network.named_buffers()]
    return {name: tuple(tensor.shape) for name, tensor in every}


def _check(own, network, expected, number):
    found = _shapes(network)
    differing = [n for n in {**expected, **found} if expected.get(n) != found.get(n)]
    if differing:
        name = differing[0].removeprefix("network.")
        raise ValueError(
            f"{own.__name__}: train() returns another network than build(): {name} has the shape"
            f" {found.get(differing[0], 'absent')}, not {expected.get(differing[0], 'absent')}"
        )
    for name, tensor in network.named_parameters():
        if not torch.isfinite(tensor).all():
            name = name.removeprefix("network.")
            raise ValueError(f"{own.__name__}: train() of model {number}: {name} is not finite")


def _row(group, data, k, model):
    """Return a model's accuracy and loss on its own examples, and on test ones or all others."""
    one, x = group.part(slice(k, k + 1)), data.x
    logits = torch.cat([one.answer(x[where])[0].float() for where in one.slices(len(x), x)])
    member = torch.zeros(len(x), dtype=bool)
    member[torch.from_numpy(model.examples)] = True
    other = torch.zeros_like(member)
    other[data.test.cpu()] = True
    other = other if len(data.test) else ~member
    arrays = (each.cpu().numpy() for each in (logits, data.labels, member, other))
    found = measured(*arrays)
    return {"model": model.number, "epoch": 1, "loss": found["train_loss"],
            "accuracy": found["train_accuracy"], **found}  # fmt: skip
