"""What a population is, and the few operations that make another population of one.

A population is all N labelled examples of one data set. Pixels stay as integers (uint8) with the
value that means 1.0 beside them, so that an image set in memory is as small as its file.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

OPTIONAL = ("member", "part", "zlib_bytes")  # arrays (N,) that a population may have


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
