"""Hinge attack (carlini2022 §VI-A, Fig. 8): one threshold on z_y - max_{c≠y} z_c for everyone."""

import numpy as np

from miatlas.signals import statistics
from miatlas.signals.statistics import untouched


def score(target_logits, labels) -> np.ndarray:  # (N, C) or (N, Q, C), (N,) -> (N,)
    """Return the hinge of the untouched example's logits; higher = member."""
    return statistics.hinge(untouched(target_logits), labels)
