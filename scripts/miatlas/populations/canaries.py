"""Canaries: out-of-distribution examples inserted into a population (carlini2022 §VII-B)."""

from dataclasses import replace
from typing import Literal

import numpy as np

from miatlas.populations.base import Population

CanaryKind = Literal["mislabelled", "noise", "other", "other_relabelled"]


def insert_canaries(
    population: Population,
    count: int,
    kind: CanaryKind,
    generator: np.random.Generator,
    other: Population | None = None,
) -> Population:
    """Return the population with `count` out-of-distribution examples, flagged in `canary`.

    They belong to no official test set, so that a design can treat them like the rest of the pool.

    mislabelled: examples of the official test set (of the whole set where there is none) get a
    random wrong label; N is unchanged.
    noise: appended; uniform random pixels, or every column drawn by itself from the values it has
    (a one-hot column as a whole), with random labels.
    other: appended; random examples of a second population of the same shape, labels kept.
    other_relabelled: the same with random labels, for a second population of other classes.

    Source: carlini2022 §VII-B, Fig. 13 (CIFAR-10 with its own test images mislabelled, ImageNet's
    part of CINIC-10, and CIFAR-100 with random labels). Raises ValueError where this is impossible.
    """
    if population.member is not None:
        raise ValueError(f"population {population.source!r}: a released model knew no canaries")
    if count < 1:
        raise ValueError(f"{count} canaries were asked for; there must be at least one")
    if kind == "mislabelled":
        return _mislabelled(population, count, generator)
    classes = len(population.class_names)
    labels = generator.integers(classes, size=count)
    if kind == "noise":
        x = _noise(population, count, generator)
    elif kind in ("other", "other_relabelled"):
        _check_other(population, other, count, kind)
        rows = generator.choice(len(other), count, replace=False)
        x, labels = other.x[rows], other.labels[rows] if kind == "other" else labels
    else:
        raise ValueError(f"canaries: unknown kind {kind!r}; allowed: {CanaryKind.__args__}")
    return replace(
        population,
        x=np.concatenate([population.x, x]),
        labels=np.concatenate([population.labels, labels]),
        test=np.concatenate([population.test, np.zeros(count, bool)]),
        canary=np.concatenate([population.canary, np.ones(count, bool)]),
        part=None if population.part is None else np.append(population.part, np.full(count, -1)),
        zlib_bytes=None,
        source=f"{population.source} + {count} canaries ({kind})",
    )


def _mislabelled(population: Population, count: int, generator) -> Population:
    classes = len(population.class_names)
    candidates = np.flatnonzero(population.test if population.test.any() else ~population.canary)
    if count > len(candidates) or classes < 2:
        raise ValueError(
            f"population {population.source!r}: {count} mislabelled canaries of {classes} classes "
            f"were asked for, but {len(candidates)} examples can be relabelled"
        )
    rows = generator.choice(candidates, count, replace=False)
    labels, test, canary = (
        array.copy() for array in (population.labels, population.test, population.canary)
    )
    # A step of 1 to C-1 round the circle of classes: each wrong label is equally likely.
    labels[rows] = (labels[rows] + generator.integers(1, classes, size=count)) % classes
    test[rows], canary[rows] = False, True
    source = f"{population.source} + {count} canaries (mislabelled)"
    return replace(population, labels=labels, test=test, canary=canary, source=source)


def _noise(population: Population, count: int, generator) -> np.ndarray:
    x = population.x[~population.canary]
    shape = (count, *x.shape[1:])
    if x.dtype == np.uint8:
        return generator.integers(round(population.scale), size=shape, endpoint=True, dtype="uint8")
    if x.ndim == 4:
        return generator.uniform(x.min(), x.max(), shape).astype(np.float32)
    columns = population.encoding.get("columns") or [
        {"first": column, "width": 1} for column in range(x.shape[1])
    ]
    blocks = [x[:, c["first"] : c["first"] + c["width"]] for c in columns]
    return np.hstack([block[generator.integers(len(x), size=count)] for block in blocks])


def _check_other(population: Population, other: Population | None, count: int, kind: str) -> None:
    if other is None:
        raise ValueError(f"canaries of kind {kind!r} need a second population")
    pair = f"canaries from {other.source!r} for {population.source!r}"
    if (other.x.shape[1:], other.x.dtype) != (population.x.shape[1:], population.x.dtype):
        raise ValueError(f"{pair}: examples are {other.x.shape[1:]}, not {population.x.shape[1:]}")
    if other.scale != population.scale:
        raise ValueError(f"{pair}: pixels have scale {other.scale}, not {population.scale}")
    if kind == "other" and len(other.class_names) != len(population.class_names):
        raise ValueError(f"{pair}: the classes differ in number, so labels cannot be kept")
    if count > len(other):
        raise ValueError(f"{pair}: {count} were asked for, but there are {len(other)}")
