"""Query the models of one block and write their signals."""

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import torch

from miatlas import devices
from miatlas.ensemble import Ensemble, stacks
from miatlas.inputs import standardised
from miatlas.logs import logged
from miatlas.signals import extract
from miatlas.store import attributes, read_h5, read_weights, write_h5

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

SLICE = 2048  # examples in a chunk, which is what readers take at once


def main(
    *,
    population: str,
    roles: str,
    membership: str,
    weights: str,
    signals: str,
    settings: dict,
    threads: int = 1,
) -> None:
    """Write member, evaluated (K, N), labels, role (N,), phi (K, N, Q) and logits (K, N, C)."""
    torch.set_num_threads(threads)
    device = devices.take()
    data = read_h5(population, ["x", "labels", "mean", "deviation"])
    facts = attributes(population)
    x = standardised(data["x"], float(facts["scale"]), data["mean"], data["deviation"], device)
    architecture = import_module(f"miatlas.architectures.{settings['architecture']['name']}")
    options = {key: value for key, value in settings["architecture"].items() if key != "name"}
    network = architecture.build(tuple(x.shape[1:]), int(data["labels"].max()) + 1, **options)
    group = Ensemble.from_weights(network, read_weights(weights), device)
    stacked = stacks(settings["engine"], architecture, tuple(x.shape[1:]), device)
    arrays = {
        **read_h5(membership, ["member", "evaluated"]),
        **read_h5(roles, ["role"]),
        "labels": data["labels"],
        **extract(group, x, data["labels"], settings["queries"], stacked),
    }
    write_h5(signals, arrays, provenance(settings, facts), chunks(arrays))
    print(f"{settings['cohort']}: phi {arrays['phi'].shape}, logits {arrays['logits'].shape}")


def chunks(arrays: dict) -> dict:
    """Return chunk shapes: all models of the block, a slice of examples."""
    return {
        name: (array.shape[0], min(SLICE, array.shape[1]), *array.shape[2:])
        for name, array in arrays.items()
        if array.ndim >= 3
    }


def provenance(settings: dict, facts: dict) -> dict:
    """Return where the signals come from."""
    versions = {"torch": torch.__version__, "numpy": np.__version__}
    return {
        "cohort": settings["cohort"],
        "models": settings["models"],
        "queries": settings["queries"],
        "population": facts["population"],
        "population_digest": facts["digest"],
        "class_names": facts["class_names"],
        "versions": versions,
        "settings": settings,
    }


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(
            **snakemake.input,
            **snakemake.output,
            settings=snakemake.params.settings,
            threads=snakemake.threads,
        )
