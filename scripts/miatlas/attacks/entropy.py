"""Entropy attack (Salem et al. 2018; Song & Mittal 2021): a threshold on the entropy, no label."""

import numpy as np

from miatlas.signals import statistics
from miatlas.signals.statistics import untouched


def score(target_logits) -> np.ndarray:  # (N, C) or (N, Q, C) -> (N,)
    """Return minus the entropy of the untouched example's softmax; higher = member."""
    return -statistics.entropy(untouched(target_logits))
