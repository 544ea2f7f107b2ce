"""Zlib ratio (Carlini et al. 2021): the loss of a text, next to how well zlib compresses it."""

import numpy as np

from miatlas.audits.attack import Attack, reads
from miatlas.signals.statistics import loss_from_phi

ATTACK = Attack(
    title="Zlib ratio",
    authors="Carlini et al.",
    year=2021,
    source="Extracting Training Data from Large Language Models (USENIX Security 2021), §5.2",
    score=[reads("target_phi", "zlib_bytes")],
)


def score(target_phi, zlib_bytes) -> np.ndarray:  # (N, Q), (N,) -> (N,)
    """Return -loss / zlib_bytes, the loss of query 0 and the text's length; higher = member.

    The loss is the mean over the tokens, the logarithm of the perplexity; zlib_bytes (N,) is how
    many bytes the text has when zlib has compressed it. A text that repeats itself is likely
    whether or not it was trained on, and compresses well; what is likelier than that is suspicious.
    """
    return -loss_from_phi(target_phi[:, 0]) / zlib_bytes
