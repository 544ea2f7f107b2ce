"""Attack L (Ye et al. 2022, §4.5): models retrained without the example, the ideal of attack D."""

from typing import Literal

import numpy as np

from miatlas.attacks import attack_r
from miatlas.audits.attack import Attack, reads

ATTACK = Attack(
    title="Attack L",
    authors="Ye et al.",
    year=2022,
    source="ye2022 §4.5",
    score=[reads("target_phi", "refs_phi", "refs_out")],
    shadow="leave_one_out",
    hardness="example",
)


def score(
    target_phi, refs_phi, refs_out,
    *, smoothing: Literal[
        "empirical", "linear", "logit_gaussian", "min_linear_logit", "mean_linear_logit"
    ] = "linear",
) -> np.ndarray:  # fmt: skip
    """Return -alpha, the rank of the loss among its losses under retrained models; higher = member.

    The models are trained as the target was, on its training set without the example (for a
    non-member, on the training set itself), so that only the training's randomness is left in the
    threshold. target_phi (N, Q), refs_phi (R, N, Q), query 0 of either; refs_out (R, N).

    `smoothing`: how a rank among references becomes a rate, as in ye2022 §4: `empirical`
    counts, `linear` interpolates, `logit_gaussian` fits a normal to the logits, and the last
    two take the smaller or the mean of both thresholds.
    """
    return attack_r.score(target_phi, refs_phi, refs_out, smoothing=smoothing)
