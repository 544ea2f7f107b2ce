"""Query the models of one block and write their signals."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from miatlas.designs.roles import TEST
from miatlas.running.allocator import keep_freed_memory
from miatlas.running.logs import logged
from miatlas.running.progress import Progress
from miatlas.running.store import (
    attributes,
    by_slices,
    fill,
    fill_by_slices,
    new_h5,
    opened,
    read_h5,
)
from miatlas.signals import probabilities
from miatlas.signals.queries import extract, finite, together
from miatlas.signals.trained_models import load
from miatlas.training.estimators import Estimators

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
    """Write member, evaluated (K, N), labels, role, canary (N,), phi (K, N, Q), logits (K, N, C).

    `canary`: which examples were inserted into the population. Of texts also zlib_bytes (N,).
    Examples of role test, which no attack is asked about, are asked the untouched query only: its
    answer stands for those to all queries (phi[:, i, q] = phi[:, i, 0], logits likewise). Settings
    with `every_query` have them asked all.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    group, x, labels, stacked = load(population, weights, settings)
    stacked = together(settings["engine"], stacked, x.device)
    arrays = {
        **read_h5(membership, ["member", "evaluated"]),
        **read_h5(roles, ["role"]),
        **about_examples(population),
        "labels": labels,
    }
    facts = provenance(settings, attributes(population))
    who = f"{settings['cohort']}: examples"
    with new_h5(signals, facts) as file, Progress(who, len(x)) as progress:
        fill(file, arrays, by_slices(arrays))
        if isinstance(group, Estimators):
            answers = probabilities.extract(group, x, labels, progress.advance)
        else:
            once = None if settings.get("every_query") else arrays["role"] == TEST
            answers = extract(
                group, x, labels, settings["queries"], stacked, progress.advance, once
            )
        models = range(*settings["models"])
        fill_by_slices(file, len(x), finite(answers, settings["cohort"], models))
        shapes = [f"{name} {file[name].shape}" for name in ("phi", "logits")]
    print(f"{settings['cohort']}: {', '.join(shapes)}")


def about_examples(population: str) -> dict:
    """Return what a population file says of its examples (N,), beside x and labels."""
    with opened(population) as file:
        return {name: file[name][()] for name in ("canary", "zlib_bytes") if name in file}


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
