"""What a population is, and the few operations that make another population of one.

A population is all N labelled examples of one data set. Pixels stay as integers (uint8) with the
value that means 1.0 beside them, so that an image set in memory is as small as its file.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

OPTIONAL = ("member", "part", "zlib_bytes")  # arrays (N,) that a population may have
CanaryKind = Literal["mislabelled", "noise", "other", "other_relabelled"]


@dataclass(frozen=True, eq=False)
class Population:
    """All labelled examples of one data set; checked when it is made.

    x: (N, C, H, W) uint8 or float32 images, or (N, d) float32 features.
    labels: (N,) int64 in [0, len(class_names)).  test: (N,) bool, the official test set.
    scale: the pixel value that means 1.0 (1 for features).  encoding: how columns became features
    (`tabular.encode`).  tokens: x (N, L) are ids of words, which are no quantities.
    canary: (N,) bool, the examples that `insert_canaries` made.  member: (N,) bool, on whom a
    released model was trained, where the file says so.  part: (N,) int16, of which of `parts` an
    example is, -1 of none, where a set is made of several.  zlib_bytes: (N,) int64, how many bytes
    zlib makes of each example, where the examples are texts.
    Raises ValueError, naming `source`, if these do not fit together.
    """

    x: np.ndarray
    labels: np.ndarray
    test: np.ndarray
    class_names: list[str]
    source: str
    scale: float = 1.0
    encoding: dict = field(default_factory=dict)
    tokens: bool = False
    canary: np.ndarray | None = None
    member: np.ndarray | None = None
    part: np.ndarray | None = None
    parts: list[str] = field(default_factory=list)
    zlib_bytes: np.ndarray | None = None

    def __post_init__(self):
        if self.canary is None:
            object.__setattr__(self, "canary", np.zeros(len(self.x), bool))
        complaint = next(_complaints(self), None)
        if complaint:
            raise ValueError(f"population {self.source!r}: {complaint}")

    def __len__(self) -> int:
        return len(self.x)


def digest(population: Population) -> str:
    """Return the SHA-256 (hex) of x, labels and test, with their types and shapes."""
    sha = hashlib.sha256()
    for array in (population.x, population.labels, population.test):
        sha.update(f"{array.dtype.name}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False))
    return sha.hexdigest()


def take(population: Population, index: np.ndarray) -> Population:
    """Return the examples at `index` (n,), in that order."""
    names = ["x", "labels", "test", "canary"]
    names += [name for name in OPTIONAL if getattr(population, name) is not None]
    return replace(population, **{name: getattr(population, name)[index] for name in names})


def subset(population: Population, n: int, generator: np.random.Generator) -> Population:
    """Return n examples in their original order, drawn at random within strata.

    n is shared between the training and the official test part, and within each part between the
    classes, in proportion to their sizes (largest remainders, so that the counts add up exactly).
    Raises ValueError for n < 1 or n > N.
    """
    if not 1 <= n <= len(population):
        raise ValueError(
            f"population {population.source!r}: a subset of {n} examples was asked for, "
            f"but there are {len(population)}"
        )
    parts = [np.flatnonzero(population.test == value) for value in (False, True)]
    kept = []
    shares = _apportion(n, [len(part) for part in parts], generator)
    for part, share in zip(parts, shares, strict=True):
        classes = [part[population.labels[part] == label] for label in np.unique(population.labels)]
        counts = _apportion(share, [len(members) for members in classes], generator)
        for members, count in zip(classes, counts, strict=True):
            kept.append(generator.choice(members, count, replace=False))
    return take(population, np.sort(np.concatenate(kept)))


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


def _apportion(n: int, sizes: list[int], generator) -> np.ndarray:
    """Share n among strata of `sizes` (K,) by largest remainders, ties at random; n <= sum."""
    whole, rest = np.divmod(n * np.array(sizes, np.int64), max(sum(sizes), 1))
    order = np.lexsort((generator.random(len(sizes)), -rest))
    whole[order[: n - whole.sum()]] += 1
    return whole


def _complaints(population: Population) -> Iterator[str]:
    x, n = population.x, len(population.x)
    images, features = x.ndim == 4 and x.dtype in (np.uint8, np.float32), x.ndim == 2
    if not (images or (features and x.dtype == np.float32)) or 0 in x.shape:
        yield (
            f"x is {x.dtype} {x.shape}, but must be uint8 or float32 images (N, C, H, W) "
            "or float32 features (N, d)"
        )
    for name, dtype in (("labels", np.int64), ("test", bool), ("canary", bool)):
        array = getattr(population, name)
        if array.shape != (n,) or array.dtype != dtype:
            yield f"{name} is {array.dtype} {array.shape}, not {np.dtype(dtype)} ({n},)"
    for name, dtype in (("member", bool), ("zlib_bytes", np.int64)):
        array = getattr(population, name)
        if array is not None and (array.shape != (n,) or array.dtype != dtype):
            yield f"{name} is {array.dtype} {array.shape}, not {np.dtype(dtype)} ({n},)"
    yield from _of_parts(population)
    labels, classes = population.labels, len(population.class_names)
    if labels.min() < 0 or labels.max() >= classes:
        yield f"labels lie in [{labels.min()}, {labels.max()}], but there are {classes} classes"
    # A sum in double precision is finite exactly if all its float32 terms are.
    if x.dtype == np.float32 and not np.isfinite(x.sum(dtype=np.float64)):
        example, *place = (int(i) for i in np.argwhere(~np.isfinite(x))[0])
        value = x[(example, *place)]
        yield f"x has values that are not finite: {value} for example {example} at {place}"
    if not (np.isfinite(population.scale) and population.scale > 0):
        yield f"scale is {population.scale}, but must be positive"


def _of_parts(population: Population) -> Iterator[str]:
    part, parts = population.part, population.parts
    if (part is None) != (not parts):
        yield "part and parts, the names of what it counts, are given together"
    elif part is not None and (part.shape != population.labels.shape or part.dtype.kind != "i"):
        yield f"part is {part.dtype} {part.shape}, not integers ({len(population.labels)},)"
    elif part is not None and not -1 <= part.min() <= part.max() < len(parts):
        yield f"part lies in [{part.min()}, {part.max()}], but there are {len(parts)} parts"
