"""What the sets of running text share: words as ids, windows of them as examples."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from miatlas.populations import catalogue, source_files
from miatlas.populations.base import Population

UNKNOWN, END = "<unk>", "<eos>"  # the release's own word for rare ones; what ends a line


def load_windows(source: str, data_root: Path, length: int, vocabulary: int) -> Population:
    """Return the windows of `length` words of a source's text: float32 (N, length) ids, one class.

    The files are the training, the validation and the official test part, in this order; each is
    cut into consecutive windows, and what is left over at its end is dropped. Id 0 is no word's: it
    stands for the start of a window. 1 is <unk>, which rare words are already in the files, and 2
    to `vocabulary` - 1 are the words that are most frequent in the training part (ties: the one
    that comes first); all others are 1. `zlib_bytes` is of the words themselves, also of those that
    are 1. Raises FileNotFoundError, or ValueError for a file that is not UTF-8 and for texts that
    have another number of words than the published ones.
    """
    paths = source_files.located(source, {}, data_root)
    numbers = {UNKNOWN: 0}
    parts = [_numbered(path, numbers) for path in paths]
    catalogue.expect_shape(source, (sum(map(len, parts)),), paths[0].parent)
    ids = _by_frequency(np.bincount(parts[0], minlength=len(numbers)), vocabulary)
    windows = [part[: len(part) // length * length].reshape(-1, length) for part in parts]
    words = np.concatenate(windows)
    return Population(
        x=ids[words],
        labels=np.zeros(len(words), np.int64),
        test=np.repeat([False, False, True], [len(each) for each in windows]),
        class_names=["text"],
        source=catalogue.provenance(source),
        tokens=True,
        zlib_bytes=_zlib_bytes(words, numbers),
    )


def _numbered(path: Path, numbers: dict[str, int]) -> np.ndarray:
    """Return the words of a file as numbers by first appearance (n,), adding to `numbers`."""
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            words = (numbers.setdefault(word, len(numbers)) for word in _words(file))
            return np.fromiter(words, np.int32)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: damaged: not UTF-8: {error}") from error


def _words(lines) -> Iterator[str]:
    for line in lines:
        yield from line.split()
        yield END


def _zlib_bytes(windows, numbers) -> np.ndarray:  # (N, length) -> (N,) int64
    """Return how many bytes zlib makes of the text of each window of words by their numbers.

    Words stand between spaces and lines end, as in the files.
    """
    spelled = ["\n" if word == END else word for word in numbers]
    texts = (" ".join(map(spelled.__getitem__, window)) for window in windows)
    return np.fromiter((len(zlib.compress(text.encode())) for text in texts), np.int64)


def _by_frequency(counts: np.ndarray, vocabulary: int) -> np.ndarray:
    """Return the id of every word (V,) of counts (V,), the first of which is <unk>'s, as float32.

    float32 holds whole numbers up to 2^24 exactly.
    """
    order = 1 + np.argsort(-counts[1:], kind="stable")[: vocabulary - 2]
    ids = np.ones(len(counts), np.float32)
    ids[order] = np.arange(2, 2 + len(order))
    ids[counts == 0] = 1
    return ids
