"""Randomness as an argument: every stream is named by what it is for and by an index."""

import zlib

import numpy as np


def rng(seed: int, purpose: str, *index: int | str) -> np.random.Generator:
    """Return the generator of one stream: the study's seed, a purpose, and what it is drawn for.

    Streams with different names are independent; the same name gives the same stream, in
    whatever block, order or process it is asked for. Words enter as their CRC-32.
    """
    words = [_number(word) for word in (purpose, *index)]
    return np.random.default_rng([seed, *words])


def torch_seed(seed: int, purpose: str, *index: int | str) -> int:
    """Return a 63-bit seed for a `torch.Generator`, from the stream of the same name."""
    return int(rng(seed, purpose, *index).integers(2**63))


def _number(word: int | str) -> int:
    return zlib.crc32(word.encode()) if isinstance(word, str) else int(word)
