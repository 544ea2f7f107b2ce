"""Entropy attack (Salem et al. 2018, adversary 3): a threshold on the entropy, no label."""

import numpy as np

from miatlas.audits.attack import Attack, reads
from miatlas.signals import statistics
from miatlas.signals.statistics import untouched

ATTACK = Attack(
    title="Entropy attack",
    authors="Salem et al.",
    year=2018,
    source="salem2018, adversary 3; Song & Mittal 2021",
    score=[reads("target_logits")],
)


def score(target_logits) -> np.ndarray:  # (N, C) or (N, Q, C) -> (N,)
    """Return minus the entropy of the untouched example's softmax; higher = member."""
    return -statistics.entropy(untouched(target_logits))
