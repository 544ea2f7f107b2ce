"""Logit attack (Carlini et al. 2022, Table II): one threshold on phi for everyone."""

from typing import Annotated

import numpy as np

from miatlas.audits.attack import Attack, reads
from miatlas.options import positive
from miatlas.signals.statistics import first_queries

ATTACK = Attack(
    title="Logit attack",
    authors="Carlini et al.",
    year=2022,
    source='carlini2022 Table II, "+ Logit scaling"',
    score=[reads("target_phi")],
)


def score(target_phi, *, queries: Annotated[int, positive] = 1) -> np.ndarray:  # (N, Q) -> (N,)
    """Return phi = log(p_y / (1 - p_y)), averaged over queries.

    Higher = member. On one query it orders the examples as the loss does; averages do not.

    `queries`: how many queries, from the first on, are averaged.
    """
    return first_queries(target_phi, queries).astype(np.float64).mean(axis=1)
