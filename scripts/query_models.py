"""Query the models of one block and write their signals."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from miatlas.logs import logged
from miatlas.signals import extract
from miatlas.store import attributes, by_slices, read_h5, write_h5
from miatlas.trained import load

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


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
    group, x, labels, stacked = load(population, weights, settings)
    arrays = {
        **read_h5(membership, ["member", "evaluated"]),
        **read_h5(roles, ["role"]),
        "labels": labels,
        **extract(group, x, labels, settings["queries"], stacked),
    }
    write_h5(signals, arrays, provenance(settings, attributes(population)), by_slices(arrays))
    print(f"{settings['cohort']}: phi {arrays['phi'].shape}, logits {arrays['logits'].shape}")


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
