"""Take over the weights of released models, once they are seen to be what they are said to be."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from miatlas.running import devices
from miatlas.running.allocator import keep_freed_memory
from miatlas.running.files import write_rows
from miatlas.running.logs import logged
from miatlas.running.store import attributes, read_h5, write_weights
from miatlas.signals.trained_models import examples
from miatlas.training import outputs, programs, state_dicts
from miatlas.training.accuracy import at_chance, measured, other_order, remark
from miatlas.training.ensemble import Ensemble
from miatlas.training.estimator_files import read as read_estimators
from miatlas.training.estimators import Estimators
from miatlas.training.inputs import class_count
from miatlas.training.networks import architecture, builder, is_estimator, is_program

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    *,
    population: str,
    membership: str,
    released: list[str],
    weights: str,
    history: str,
    settings: dict,
    threads: int = 1,
) -> None:
    """Write the stacked weights of the files `released`, and each model's accuracy as its history.

    Accuracy comes first: on members and on non-members. A model that knows no more of its members
    than chance stops the audit, with what to look at.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    device = devices.take()
    x, labels = examples(population, device)
    masks = read_h5(membership, ["member", "evaluated"])
    member, other = masks["member"], masks["evaluated"] & ~masks["member"]
    group = load(released, x, labels, attributes(population), settings, device)
    check_count(group.models, settings)
    answers = all_answers(group, x, released)
    rows = []
    for k, logits in enumerate(answers):
        found = measured(logits, labels, member[k], other[k])
        print(told(settings, k, found, member[k], other[k]))
        if settings["at_chance"] == "stop":
            check_accuracy(logits.argmax(1)[member[k]], labels[member[k]], settings, k)
        loss, accuracy = found["train_loss"], found["train_accuracy"]
        rows.append({"model": k, "epoch": 0, "loss": loss, "accuracy": accuracy, **found})
    write_rows(history, rows)
    arrays = {n: t.cpu().numpy() if torch.is_tensor(t) else t for n, t in group.weights().items()}
    write_weights(weights, arrays, settings)


def check_count(models, settings) -> None:
    """Refuse another number of models than the study says."""
    if models != settings["models"]:
        raise ValueError(
            f"cohorts.{settings['cohort']}.models: {settings['models']}, but the weights are of"
            f" {models} models"
        )


def load(files, x, labels, facts: dict, settings, device):
    """Return the models of the files; networks and programs are tried on a few examples first."""
    found, classes = architecture(settings["architecture"]), class_count(facts, labels)
    if is_estimator(found):
        return Estimators.released([m for f in files for m in read_estimators(f)], classes, facts)
    make = builder(settings["architecture"], tuple(x.shape[1:]), classes)
    if is_program(found):
        return load_programs(files, x, make(), device)
    return load_networks(files, x, make(), settings["architecture"]["name"], device)


def load_programs(files, x, make, device) -> programs.Programs:
    """Return the programs of the files, each of them tried: they may be of several networks."""
    group = programs.Programs.of([programs.read(file) for file in files], make, device)
    for file, one in zip(files, group.programs, strict=True):
        try:
            outputs.check(one, x)
        except ValueError as error:
            raise ValueError(f"{file}: the program {error}") from error
    return group


def load_networks(files, x, network, name, device) -> Ensemble:
    """Return the networks of the files, the first of them tried on a few examples."""
    own = isinstance(network, outputs.AsLogits)
    tensors = state_dicts.released(files, network.network if own else network)
    if own:
        tensors = {f"network.{name}": tensor for name, tensor in tensors.items()}
    group = Ensemble.from_weights(network, tensors, device)
    one = group.part(slice(0, 1))
    try:
        outputs.check(lambda rows: one.answer(rows)[0], x)
    except ValueError as error:
        raise ValueError(f"{name}: the network {error}") from error
    return group


def all_answers(group, x, released) -> Iterator[np.ndarray]:
    """Yield the logits (N, C) of each model."""
    if isinstance(group, Estimators):
        yield from np.log(np.clip(group.probabilities(x.cpu().numpy()), 1e-6, 1 - 1e-6))
        return
    instead = {"instead": programs.INSTEAD} if isinstance(group, programs.Programs) else {}
    for k in range(group.models):
        one, who = group.part(slice(k, k + 1)), f"{released[k % len(released)]}: model"
        yield answered(one, x, who, **instead)


def answered(one, x, who: str, **instead) -> np.ndarray:
    """Return the logits (N, C) of one model, which are to be logits, and finite."""
    logits = torch.cat([one.answer(x[where])[0].float() for where in one.slices(len(x), x)]).cpu()
    if not torch.isfinite(logits).all():
        raise ValueError(f"{who} answers numbers that are not finite")
    try:
        outputs.check_logits(logits, **instead)
    except ValueError as error:
        raise ValueError(f"{who} {error}") from None
    return logits.numpy()


def told(settings, k, found, member, other) -> str:
    """Say how right a model is, and what is odd about it."""
    words = (
        f"{settings['cohort']}: model {k} is right about {found['train_accuracy']:.1%} of its"
        f" {member.sum():,} members and {found['test_accuracy']:.1%} of {other.sum():,} non-members"
    )
    odd = remark(found)
    return f"{words}\nremark: {odd}" if odd else words


def check_accuracy(answers, labels, settings, k) -> None:
    """Refuse a model whose answers about its members have nothing to do with their labels."""
    chance = at_chance(answers, labels)
    if chance is None:
        return
    order = other_order(answers, labels)
    pairs = ", ".join(f"{answer} for label {label}" for label, answer in (order or {}).items())
    hint = f"the order of the classes (it answers {pairs}); " if order else ""
    raise ValueError(
        f"cohorts.{settings['cohort']}: model {k} is right about"
        f" {(answers == labels).mean():.1%} of its members, and by chance would be about"
        f" {chance:.1%}: look at {hint}how examples are"
        " prepared (scale, mean, deviation, standardise, size, order of columns), at the order of"
        " the labels and of the members (if it is to be so: at_chance: go_on)"
    )


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        files = dict(snakemake.input)
        main(
            released=list(files.pop("released")),
            **files,
            **snakemake.output,
            settings=snakemake.params.settings,
            threads=snakemake.threads,
        )
