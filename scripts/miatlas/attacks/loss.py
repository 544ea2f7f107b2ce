"""LOSS attack (Yeom et al. 2018; carlini2022 §III-A): one threshold on the loss for everyone."""

from typing import Annotated

import numpy as np

from miatlas.audits.attack import Attack, reads
from miatlas.options import positive
from miatlas.signals.statistics import first_queries, loss_from_phi

ATTACK = Attack(
    title="LOSS attack",
    authors="Yeom et al.",
    year=2018,
    source="carlini2022 §III-A",
    score=[reads("target_phi")],
)


def score(target_phi, *, queries: Annotated[int, positive] = 1) -> np.ndarray:  # (N, Q) -> (N,)
    """Return -loss, averaged over queries; higher = member.

    `queries`: how many queries, from the first on, are averaged.
    """
    return -loss_from_phi(first_queries(target_phi, queries)).mean(axis=1)
