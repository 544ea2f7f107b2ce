"""Confidence attack (Carlini et al. 2022, Table II): one threshold on p_y for everyone."""

from typing import Annotated

import numpy as np

from miatlas.audits.attack import Attack, reads
from miatlas.options import positive
from miatlas.signals.statistics import confidence_from_phi, first_queries

ATTACK = Attack(
    title="Confidence attack",
    authors="Carlini et al.",
    year=2022,
    source="carlini2022 Fig. 8, Table II",
    score=[reads("target_phi")],
)


def score(target_phi, *, queries: Annotated[int, positive] = 1) -> np.ndarray:  # (N, Q) -> (N,)
    """Return p_y, averaged over queries; higher = member.

    On one query it orders the examples as the loss does; its averages over queries do not.

    `queries`: how many queries, from the first on, are averaged.
    """
    return confidence_from_phi(first_queries(target_phi, queries)).mean(axis=1)
