"""What the models of a cohort answered: signals files, checked, and read in slices of examples."""

import math
from pathlib import Path

import numpy as np

from miatlas.running.foreign_arrays import dataset
from miatlas.running.store import PART, absence, opened

# What a signals file holds, the first three always: dimensions and kinds of number.
SIGNALS = {
    "member": ((2,), "bui"), "labels": ((1,), "ui"), "phi": ((3,), "f"), "logits": ((3, 4), "f"),
    "features": ((3,), "f"), "role": ((1,), "bui"), "canary": ((1,), "bui"),
    "evaluated": ((2,), "bui"), "zlib_bytes": ((1,), "ui"),
}  # fmt: skip
NEEDED = ("member", "labels", "phi")
KINDS = {"b": "booleans", "u": "counts", "i": "integers", "f": "floats"}
ANSWERS = ("phi", "logits", "features")  # what models answer about an example
MASKS = ("member", "evaluated")
NONE = ("role", "canary")  # all 0 where a file does not tell
ALIKE = ("labels", *NONE, "zlib_bytes")  # in all files: of an example, whoever the model is


def whole_array(name: str) -> property:
    """Return a property that reads one array of all examples; `read` has what it takes of them."""
    return property(lambda self: self.read(name, slice(0, self.shape[1])))


class Signals:
    """The signals of one cohort: its blocks' files seen as one, read in slices of examples.

    Nothing of them stays in memory but what `held` was last asked for. `shape` is (M, N): models
    and examples. `member` and `evaluated` (M, N), `labels`, `role`, `canary` and, of texts,
    `zlib_bytes` (N,) read all there is, each time they are named. Answers to a probe are in files
    of their own, `probes`, which may cover the first models only.
    """

    member, evaluated, labels, role, canary, zlib_bytes = map(whole_array, (*MASKS, *ALIKE))

    def __init__(self, paths, probes=()):
        self.paths = [Path(path) for path in paths]
        self.probes = _by_probe(probes)
        shapes, answers = zip(*map(check_signals, self.paths), strict=True)
        for path, answer in zip(self.paths[1:], answers[1:], strict=True):
            if not same_labels(path, self.paths[0]):
                raise ValueError(f"{path}: its labels differ from those of {self.paths[0]}")
            if answer != answers[0]:
                raise ValueError(
                    f"{path}: its answers to an example have the shapes {answer},"
                    f" those of {self.paths[0]} {answers[0]}"
                )
        self.shape = (sum(models for models, _ in shapes), shapes[0][1])
        self._held: dict[str, tuple] = {}

    def dimensions(self, name: str) -> tuple[int, ...]:
        """Return the shape of one array over all models, e.g. (M, N, Q) for phi."""
        path = self.probes.get(name, self.paths)[0]
        with opened(path) as file:
            if name not in file:
                raise ValueError(absence(path, name, file))
            return (self.shape[0], *file[name].shape[1:])

    def numbers(self, name: str) -> int:
        """Return how many numbers of one array are read, of all models, for one example."""
        shape = self.dimensions(name)
        return shape[0] * math.prod(shape[2:])

    def slices(self, step: int = PART) -> list[slice]:
        """Return the slices of `step` examples that are all examples, the last one smaller."""
        return slices(self.shape[1], step)

    def read(self, name: str, examples: slice, last: int | None = None) -> np.ndarray:
        """Return one array for all models and a slice of examples, up to `last` queries.

        That is `phi` (M, n, Q), `logits` (M, n, C), `member` and `evaluated` bool (M, n), `labels`,
        `role` and `canary` (n,), and whatever else the files hold.
        """
        parts, paths = [], self.probes.get(name, self.paths)
        for path in paths[:1] if name in ALIKE else paths:
            with opened(path) as file:
                part = _part(path, file, name, examples, last)
            _check_finite(path, name, part, examples.start)
            parts.append(part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def held(self, name: str, examples: slice, last: int | None = None) -> np.ndarray:
        """Return what `read` returns, from memory if nothing else was asked of the array since.

        Masks, labels and roles are read ahead, PART examples at least: they take a byte a number.
        """
        start, stop, before = self._held[name][:3] if name in self._held else (0, -1, None)
        if examples.start < start or stop < examples.stop or before != last:
            self._held.pop(name, None)  # first of all, so that there are never two
            start, stop = examples.start, examples.stop
            if name in (*MASKS, *ALIKE):
                stop = max(stop, min(start + PART, self.shape[1]))
            self._held[name] = start, stop, last, self.read(name, slice(start, stop), last)
        cut = slice(examples.start - start, examples.stop - start)
        return self._held[name][3][cut if name in ALIKE else (slice(None), cut)]


def _part(path, file, name, examples, last):
    """Return a slice of one array of a file; without roles all are pool, without `evaluated` it.

    Without `canary` none is one.
    """
    if name in file:
        index = (examples,) if name in ALIKE else (slice(None), examples)
        part = file[name][(*index, *([slice(last)] if last else []))]
        return _mask(path, name, part, examples.start) if name in MASKS else part
    models, total = file["member"].shape
    if name in NONE:
        return np.zeros(len(range(total)[examples]), np.uint8)
    if name == "evaluated":
        pool = _part(path, file, "role", examples, None) == 0
        return np.broadcast_to(pool, (models, len(pool)))
    raise ValueError(absence(path, name, file))


def _mask(path, name, part, first):
    """Return what says yes or no of every model and example (M, n) as bool."""
    if part.dtype != bool and len(other := np.argwhere((part != 0) & (part != 1))):
        model, example = other[0]
        raise ValueError(
            f"{path}: {name} is {part[model, example]} for model {model} of the file, example"
            f" {first + example}, expected 0 or 1 (leave out what is not known: evaluated 0)"
        )
    return part.astype(bool, copy=False)


def _check_finite(path, name, part, first):
    """Refuse answers (M, n, ...) with a NaN or an infinity, naming the first one."""
    if part.dtype.kind == "f" and not np.isfinite(part).all():
        place = tuple(np.argwhere(~np.isfinite(part))[0])
        raise ValueError(
            f"{path}: {name} is not finite for model {place[0]} of the file, example"
            f" {first + place[1]}: it is {part[place]}"
            + (", which phi of logits never is" if name == "phi" else "")
        )


def slices(n: int, step: int) -> list[slice]:
    """Return the slices of `step` that are 0 .. n-1, the last one smaller."""
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def _by_probe(paths) -> dict[str, list[Path]]:
    """Return the files of each probe, in order; a file holds one array, named like its probe."""
    files = {}
    for path in map(Path, paths):
        with opened(path) as file:
            files.setdefault(next(iter(file)), []).append(path)
    return files


def check_signals(path) -> tuple[tuple[int, int], dict]:
    """Refuse a signals file whose arrays are missing or do not fit together, naming the file.

    Returns its models and examples (M, N), and the shapes of its answers to one example, by name.
    """
    with opened(path) as file:
        there = {name: dataset(path, file, name) for name in SIGNALS}
        there = {name: array for name, array in there.items() if array is not None}
        for name in NEEDED:
            if name not in there:
                raise ValueError(absence(path, name, file))
        for name, array in there.items():
            _check_kind(path, name, array)
        shapes = {name: array.shape for name, array in there.items()}
        _check_shapes(path, shapes)
        _check_labels(path, file)
    return shapes["member"], {name: shapes[name][2:] for name in ANSWERS if name in shapes}


def _check_kind(path, name, array):
    dimensions, kinds = SIGNALS[name]
    if array.ndim not in dimensions or array.dtype.kind not in kinds:
        raise ValueError(
            f"{path}: {name} is {array.dtype} of {array.ndim} dimensions, expected"
            f" {' or '.join(map(str, dimensions))} dimensions of"
            f" {' or '.join(KINDS[kind] for kind in kinds)}"
        )


def _check_shapes(path, shapes):
    """Refuse arrays of other models and examples than `member`, of one class, of other queries."""
    shape = shapes["member"]
    if 0 in shape:
        raise ValueError(f"{path}: member has shape {shape}: no models, or no examples")
    for name in shapes:
        start = shape[1:] if name in ALIKE else shape
        if shapes[name][: len(start)] != start:
            raise ValueError(
                f"{path}: {name} has shape {shapes[name]}, but member has {shape}"
                " (models, examples)"
            )
    *queries, classes = shapes.get("logits", (*shape, 2))[2:]
    if classes < 2:
        raise ValueError(f"{path}: logits have {classes} class; phi compares at least two")
    if queries and queries != [shapes["phi"][2]]:
        raise ValueError(f"{path}: logits answer {queries[0]} queries, phi {shapes['phi'][2]}")


def _check_labels(path, file):
    labels = file["labels"]
    classes = file["logits"].shape[-1] if "logits" in file else np.inf
    ends = [(part.min(), part.max()) for part in (labels[s] for s in slices(len(labels), PART))]
    if ends:
        least, largest = (int(end) for end in (min(ends)[0], max(end for _, end in ends)))
        if not 0 <= least <= largest < classes:
            raise ValueError(
                f"{path}: labels are {least} to {largest}, but logits have"
                f" {classes} classes, counted from 0"
            )


def same_labels(path, other) -> bool:
    """Return whether two signals files have the same examples, going by their labels."""
    with opened(path) as one, opened(other) as two:
        a, b = one["labels"], two["labels"]
        parts = slices(len(a), PART)
        return len(a) == len(b) and all(np.array_equal(a[s], b[s]) for s in parts)
