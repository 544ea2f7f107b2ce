"""LiRA, TLC (Zhu et al. 2025): the ratio of two Beta laws of p_y."""

from typing import Annotated

import numpy as np

from miatlas.audits.attack import Attack, reads
from miatlas.bounds import dirichlet, dirichlet_ratio
from miatlas.options import nonnegative

ATTACK = Attack(
    title="LiRA, TLC",
    authors="Zhu et al.",
    year=2025,
    source="zhu2025, TLC",
    score=[reads("target_phi", "refs_phi", "refs_in", "refs_out")],
    hardness="example",
)


def score(
    target_phi, refs_phi, refs_in, refs_out, *, prior: Annotated[float, nonnegative] = 1.0
) -> np.ndarray:  # fmt: skip
    """Return log Beta(p_y; a_in) - log Beta(p_y; a_out), (N,); higher = member.

    As `lira_cv`, with p_y and 1 - p_y for the vector: query 0 of phi (N, Q), of the references
    (R, N, Q). `lira_online` with one query reads the same observation, and takes its logit for a
    Gaussian instead.

    `prior`: pseudo-observations of what IN and OUT references say together, which draw both
    fits towards one law.
    """
    observed = dirichlet.of_confidence(target_phi[..., 0])
    refs = dirichlet.of_confidence(refs_phi[..., 0])
    return dirichlet_ratio.log_ratio(observed, refs, refs_in, refs_out, prior)
