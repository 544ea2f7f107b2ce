"""Attack D (Ye et al. 2022, §4.4): students of the target give a threshold to each example."""

from typing import Literal

import numpy as np

from miatlas.attacks import attack_r
from miatlas.audits.attack import Attack, reads

ATTACK = Attack(
    title="Attack D",
    authors="Ye et al.",
    year=2022,
    source="ye2022 §4.4, Eq. 38",
    score=[reads("target_phi", "refs_phi", "refs_out"), reads("refs_in", refs="all")],
    shadow="distilled",
    hardness="example",
)


def score(
    target_phi, refs_phi, refs_out, refs_in=None,
    *, smoothing: Literal[
        "empirical", "linear", "logit_gaussian", "min_linear_logit", "mean_linear_logit"
    ] = "linear",
    refs: Literal["out", "all"] = "out",
) -> np.ndarray:  # fmt: skip
    """Return -alpha, the rank of the loss among its losses under the students; higher = member.

    The students are trained on the target's soft answers about draws from the population: they are
    to be what the target would have been without the example. target_phi (N, Q), refs_phi
    (R, N, Q), query 0 of either; masks (R, N): students that drew the example itself (IN) have seen
    the target's answer about it, and take part with `refs: all` only.

    `smoothing`: how a rank among references becomes a rate, as in ye2022 §4: `empirical`
    counts, `linear` interpolates, `logit_gaussian` fits a normal to the logits, and the last
    two take the smaller or the mean of both thresholds. `refs`: OUT students alone, or all of
    them.
    """
    return attack_r.score(target_phi, refs_phi, refs_out, refs_in, smoothing=smoothing, refs=refs)
