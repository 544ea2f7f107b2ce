"""Train a regressor for each target of an audit: what it answers about examples it has not seen."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from miatlas.audits.regressions import LAWS, LEVELS
from miatlas.designs.roles import HELD_OUT
from miatlas.running import devices
from miatlas.running.allocator import keep_freed_memory
from miatlas.running.logs import logged
from miatlas.running.progress import Progress
from miatlas.running.seeds import rng, torch_seed
from miatlas.running.store import by_slices, read_h5, write_h5
from miatlas.signals.answers import Signals
from miatlas.signals.trained_models import examples
from miatlas.training import networks
from miatlas.training.batches import Data, Model
from miatlas.training.initial_weights import maker
from miatlas.training.objectives import Normal, Quantiles
from miatlas.training.regressors import Standardised, regress, split
from miatlas.training.stack_sizes import stack_size
from miatlas.training.trainer import groups

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    *, population: str, roles: str, signals: list[str], regression: str, settings: dict,
    threads: int = 1,
) -> None:  # fmt: skip
    """Write what is regressed for each target t and example, (T, N, ...), in units of phi.

    signals: files with the targets' answers. Of the law `normal`, mu and sigma; of `quantile`, the
    quantiles of the shares 1 - LEVELS. Only held-out examples are learned from.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    recipe, law = settings["recipe"], _law(settings["law"])
    data, models, known = taught(population, roles, signals, settings)
    architecture = networks.architecture(recipe["architecture"])
    make = maker(architecture, data, tuple(data.x.shape[1:]), law.outputs, settings)
    at_once = stack_size(architecture, make, recipe, data.x, len(models))
    rounds = recipe["epochs"] * len(groups(models, at_once))
    with Progress(f"{settings['audit']}: {len(models)} regressors", rounds) as progress:
        outputs = regress(make, recipe, law, data, models, at_once, progress)
    found = law.described(outputs, known.mean, known.deviation).cpu().numpy()
    arrays = {LAWS[settings["law"]]: found}
    write_h5(regression, arrays, {"settings": settings}, by_slices(arrays))
    print(f"{settings['audit']}: {settings['law']} {found.shape}")


def _law(name):
    return Normal() if name == "normal" else Quantiles(tuple(1 - level for level in LEVELS))


def taught(population: str, roles: str, signals: list[str], settings: dict):
    """Return the data, a model to be trained for each target, and their standardised answers."""
    x, labels = examples(population, devices.take())
    held_out = np.flatnonzero(read_h5(roles, ["role"])["role"] == HELD_OUT)
    seed, cohort, targets = (settings[key] for key in ("seed", "cohort", "targets"))
    learned, judges = split(held_out, rng(seed, "regressors", cohort))
    phi = Signals(signals).read("phi", slice(0, len(x)), 1)[:targets, :, 0]
    known = Standardised(torch.from_numpy(phi).to(x), learned)
    index = torch.from_numpy(judges).to(x.device)
    y = torch.from_numpy(labels).to(x.device)
    data = Data(x, y, index, index[:0], known.values[..., None])
    models = [Model(t, learned, *_seeds(seed, cohort, t), teacher=t) for t in range(targets)]
    return data, models, known


def _seeds(seed, cohort, target):
    """Return what the initial weights, the order and the augmentations are drawn from."""
    purposes = ("regressor's weights", "regressor's order", "regressor's augmentation")
    return [torch_seed(seed, purpose, cohort, target) for purpose in purposes]


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        files = dict(snakemake.input)
        main(
            signals=list(files.pop("signals")),
            **files,
            **snakemake.output,
            settings=snakemake.params.settings,
            threads=snakemake.threads,
        )
