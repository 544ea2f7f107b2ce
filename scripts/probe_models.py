"""Ask the models of one block a further question, which some attack needs answered."""

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import torch

from miatlas.running.allocator import keep_freed_memory
from miatlas.running.logs import logged
from miatlas.running.store import by_slices, write_h5
from miatlas.signals.trained_models import load

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(*, population: str, weights: str, answers: str, settings: dict, threads: int = 1) -> None:
    """Write the answers (K, N) or (K, N, ...) under the name of the probe."""
    keep_freed_memory()
    torch.set_num_threads(threads)
    group, x, labels, stacked = load(population, weights, settings)
    probe = import_module(f"miatlas.signals.probes.{settings['probe']}")
    result = measured(probe, group, x, labels, settings["options"], stacked)
    if result.shape[:2] != (group.models, len(x)):
        raise ValueError(f"probe {settings['probe']}: answers have shape {result.shape}")
    arrays = {settings["probe"]: result}
    write_h5(answers, arrays, {"settings": settings}, by_slices(arrays))
    print(f"{settings['cohort']}: {settings['probe']} {result.shape}")


def measured(probe, group, x, labels, options: dict, stacked: bool) -> np.ndarray:
    """Return the answers of all models: of the stack, or of one model after the other."""
    parts = [group] if stacked else [group.part(slice(k, k + 1)) for k in range(group.models)]
    return np.concatenate([probe.measure(part, x, labels, **options) for part in parts])


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(
            **snakemake.input,
            **snakemake.output,
            settings=snakemake.params.settings,
            threads=snakemake.threads,
        )
