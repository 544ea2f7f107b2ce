"""Train the models of one block together."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from miatlas.designs.roles import HELD_OUT, TEST
from miatlas.running import devices
from miatlas.running.allocator import keep_freed_memory
from miatlas.running.files import write_rows
from miatlas.running.logs import logged
from miatlas.running.progress import Progress
from miatlas.running.seeds import torch_seed
from miatlas.running.store import attributes, read_h5, write_weights
from miatlas.signals.answers import Signals
from miatlas.training import estimator_training, networks, own_training
from miatlas.training import trainer as training
from miatlas.training.batches import Data, Model
from miatlas.training.divergence import Diverged
from miatlas.training.initial_weights import maker
from miatlas.training.inputs import class_count, standardised
from miatlas.training.stack_sizes import stack_size

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    *,
    population: str,
    roles: str,
    membership: str,
    weights: str,
    history: str,
    settings: dict,
    teachers: list[str] = (),
    threads: int = 1,
) -> None:
    """Write the stacked weights of the block's models, and their history by epoch.

    `teachers`: the signals of the models that these learn from, from their cohort's first on.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    device = devices.take()
    data, shape, classes = load(population, roles, device)
    if teachers:
        data.taught = answers(teachers, device)
    recipe, numbers = settings["recipe"], range(*settings["models"])
    architecture = networks.architecture(recipe["architecture"])
    make = maker(architecture, data, shape, classes, settings)
    drawn = read_h5(membership)
    member = drawn.get("trained", drawn["member"]).astype(bool)
    models = [model(settings, m, row) for m, row in zip(numbers, member, strict=True)]
    where = f"{settings['cohort']} models {numbers[0]}-{numbers[-1]}"
    size = int(attributes(membership)["size"])
    at_once = stack_size(architecture, make, recipe, data.x, len(models))
    epochs = recipe["epochs"] or 1  # of a user's own training nothing is known but its end
    with Progress(where, epochs * len(training.groups(models, at_once))) as progress:
        try:
            if networks.is_estimator(architecture):
                trained, rows = estimator_training.train(make(), data, models, classes, threads)
            elif recipe["epochs"] is None:
                trained, rows = own_training.train(
                    architecture, make, data, models, classes, progress
                )
            else:
                trained, rows = training.train(make, recipe, data, models, size, at_once, progress)
        except Diverged as error:
            raise Diverged(f"cohort {settings['cohort']}: {error}") from None
    write_rows(history, rows)
    kept = {n: t.cpu().numpy() if torch.is_tensor(t) else t for n, t in trained.items()}
    write_weights(weights, kept, settings | privacy(rows))


def privacy(rows: list[dict]) -> dict:
    """Return what the privacy of the models is, one after the other, by their last rows; or {}."""
    keys = ("model", "epsilon", "delta", "clip", "noise", "accountant")
    found = [{key: row[key] for key in keys} for row in rows if "epsilon" in row]
    for own in found:
        own["epsilon"] = own["epsilon"] if np.isfinite(own["epsilon"]) else "inf"  # JSON has none
    return {"privacy": found} if found else {}


def load(population: str, roles: str, device):
    """Return the training data on the device, the shape of an input, and the number of classes."""
    arrays = read_h5(population, ["x", "labels", "mean", "deviation"])
    role = read_h5(roles, ["role"])["role"]
    facts = attributes(population)
    x = standardised(
        arrays["x"], float(facts["scale"]), arrays["mean"], arrays["deviation"], device
    )
    index = {code: torch.from_numpy(np.flatnonzero(role == code)) for code in (HELD_OUT, TEST)}
    labels = torch.from_numpy(arrays["labels"]).to(device)
    data = Data(x, labels, index[HELD_OUT].to(device), index[TEST].to(device))
    return data, tuple(x.shape[1:]), class_count(facts, arrays["labels"])


def answers(teachers: list[str], device) -> torch.Tensor:
    """Return the confidence vectors (T, N, C) of models, by their signals."""
    signals = Signals(teachers)
    logits = signals.read("logits", slice(0, signals.shape[1]))
    logits = logits if logits.ndim == 3 else logits[:, :, 0]
    return torch.from_numpy(logits).to(device, torch.float32).softmax(-1)


def model(settings: dict, number: int, member: np.ndarray) -> Model:
    """Return a model with the seeds that are its own, whatever block it is trained in."""
    seed, cohort = settings["seed"], settings["cohort"]
    return Model(
        number,
        np.flatnonzero(member),
        torch_seed(seed, "weights", cohort, number),
        torch_seed(seed, "order", cohort, number),
        torch_seed(seed, "augmentation", cohort, number),
        number // settings["teacher"]["students"] if settings["teacher"] else None,
        torch_seed(seed, "noise", cohort, number),
    )


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        files = dict(snakemake.input)
        main(
            teachers=list(files.pop("teachers")),
            **files,
            **snakemake.output,
            settings=snakemake.params.settings,
            threads=snakemake.threads,
        )
