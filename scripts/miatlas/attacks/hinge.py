"""Hinge attack (Carlini et al. 2022, §VI-A): one threshold on z_y - max_{c≠y} z_c for everyone."""

import numpy as np

from miatlas.audits.attack import Attack, reads
from miatlas.signals import statistics
from miatlas.signals.statistics import untouched

ATTACK = Attack(
    title="Hinge attack",
    authors="Carlini et al.",
    year=2022,
    source="carlini2022 §VI-A, Fig. 8",
    score=[reads("target_logits", "labels")],
)


def score(target_logits, labels) -> np.ndarray:  # (N, C) or (N, Q, C), (N,) -> (N,)
    """Return the hinge of the untouched example's logits; higher = member."""
    return statistics.hinge(untouched(target_logits), labels)
