"""Gap attack (Yeom et al. 2018; Choquette-Choo et al. 2021): whoever is labelled rightly."""

import numpy as np

from miatlas.attacks.shared import votes
from miatlas.audits.attack import Attack, reads

ATTACK = Attack(
    title="Gap attack",
    authors="Yeom et al.",
    year=2018,
    source="yeom2018; choquettechoo2021",
    score=[reads("target_logits", "labels")],
    labels_suffice=({},),
)


def score(target_logits, labels) -> np.ndarray:  # (N, C) or (N, Q, C), (N,) -> (N,)
    """Return 1 where the target's likeliest class is the label, 0 elsewhere; higher = member.

    The baseline of all that see labels alone: its advantage is the gap between the accuracy on
    members and that on others. Of equal logits the first is the answer.
    """
    return votes.right(target_logits, labels)[:, 0].astype(np.float64)
