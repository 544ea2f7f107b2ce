"""Lists of members: whom a model that exists was trained on, as its owner wrote it down."""

from pathlib import Path

import numpy as np


def read(path, examples: int) -> np.ndarray:
    """Return who is on the list, (N,) bool, or (M, N) where it has a row a model.

    The file is text (a number a line, a header is passed over), or .npy: indices of the examples
    that were trained on, counted from 0, or 0 and 1 (false, true) for each of the N examples.
    Raises ValueError in one line, naming the file and the line, for anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    values = _array(path) if path.suffix == ".npy" else _numbers(path)
    if values.dtype.kind not in "bui" or not 1 <= values.ndim <= 2 or not values.size:
        raise ValueError(
            f"{path}: holds {values.dtype} {values.shape}: expected indices of members (n,), or"
            f" 0 and 1 for each of the {examples} examples"
        )
    if values.shape[-1] == examples and np.isin(values, (0, 1)).all() and examples > 2:
        return values.astype(bool)
    if values.ndim == 2 or values.dtype.kind == "b":
        raise ValueError(
            f"{path}: has the shape {values.shape}, but the population has {examples} examples"
        )
    return _of_indices(values, examples, path)


def _array(path):
    try:
        return np.load(path, allow_pickle=False, mmap_mode="r")[()]
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: not a readable .npy file: {error}") from None


def _numbers(path):
    """Return a number a line; a first line that is none is a header."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is no text with a number a line") from None
    found = []
    for number, line in enumerate(lines, 1):
        word = line.strip().rstrip(",;")
        try:
            found += [int(word)] if word else []
        except ValueError:
            if number > 1:
                raise ValueError(f"{path}, line {number}: {line[:40]!r} is no index") from None
    return np.array(found, np.int64)


def _of_indices(indices, examples, path):
    outside = indices[(indices < 0) | (indices >= examples)]
    if len(outside):
        raise ValueError(
            f"{path}: example {outside[0]} does not exist: the population has {examples},"
            " counted from 0"
        )
    member = np.zeros(examples, bool)
    member[indices] = True
    if member.sum() < len(indices):
        twice = np.flatnonzero(np.bincount(indices) > 1)[0]
        raise ValueError(f"{path}: example {twice} is on the list more than once")
    return member
