"""Randomness as an argument: every stream is named by what it is for and by an index."""

import json
from hashlib import sha256

import numpy as np


def rng(seed: int, purpose: str, *index: int | str) -> np.random.Generator:
    """Return the generator of one stream: the study's seed, a purpose, and what it is drawn for.

    Streams with different names are independent; the same name gives the same stream, in
    whatever block, order or process it is asked for.
    """
    # Hashed, not handed to NumPy as a list of numbers: there [1, 2] and [1, 2, 0] are one stream.
    words = [word if isinstance(word, str) else int(word) for word in (seed, purpose, *index)]
    return np.random.default_rng(int(sha256(json.dumps(words).encode()).hexdigest(), 16))


def torch_seed(seed: int, purpose: str, *index: int | str) -> int:
    """Return a 63-bit seed for a `torch.Generator`, from the stream of the same name."""
    return int(rng(seed, purpose, *index).integers(2**63))
