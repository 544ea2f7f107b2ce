"""Populations made harder: labels that are wrong, classes that overlap (aleatoric uncertainty)."""

from dataclasses import replace

import numpy as np

from miatlas.populations.base import Population


def with_label_noise(
    population: Population, share: float, generator: np.random.Generator
) -> Population:
    """Return the population with `share` of the examples outside the test set mislabelled.

    Each of them gets one of the other classes, all equally likely. Raises ValueError for one class.
    """
    classes = len(population.class_names)
    if classes < 2:
        raise ValueError(f"population {population.source!r}: label noise needs two classes")
    candidates = np.flatnonzero(~population.test)
    wrong = generator.choice(candidates, round(share * len(candidates)), replace=False)
    labels = population.labels.copy()
    labels[wrong] = (labels[wrong] + generator.integers(1, classes, size=len(wrong))) % classes
    source = f"{population.source}, {share:g} of the labels replaced"
    return replace(population, labels=labels, source=source)


def with_class_overlap(
    population: Population, weight: float, generator: np.random.Generator
) -> Population:
    """Return the population with every input drawn towards one of another class.

    x becomes (1 - weight) x + weight x', x' a random example of another class in the same part
    (official test set or not): at a weight of 1/2 nothing tells the two classes apart.
    """
    x = population.x.astype(np.float32)
    blended = x.copy()
    for part in (population.test, ~population.test):
        rows = np.flatnonzero(part)
        for label in np.unique(population.labels[rows]):
            own, others = (
                rows[population.labels[rows] == label],
                rows[population.labels[rows] != label],
            )
            if not len(others):
                raise ValueError(f"population {population.source!r}: overlap needs two classes")
            partners = generator.choice(others, len(own))
            blended[own] = (1 - weight) * x[own] + weight * x[partners]
    if population.x.dtype == np.uint8:
        blended = blended.round().astype(np.uint8)
    source = f"{population.source}, classes overlapping by {weight:g}"
    return replace(population, x=blended, source=source)
