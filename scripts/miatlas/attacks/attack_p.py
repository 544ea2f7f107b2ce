"""Attack P (ye2022 §4.2, Eq. 22): population data give a threshold to each target model."""

from typing import Literal

import numpy as np

from miatlas.attacks import ye2022


def score(
    target_phi, target_held_out_phi,
    *, smoothing: Literal[
        "empirical", "linear", "logit_gaussian", "min_linear_logit", "mean_linear_logit"
    ] = "linear",
) -> np.ndarray:  # fmt: skip
    """Return -alpha, the rank of the loss among the target's held-out losses; higher = member.

    target_phi (N, Q), target_held_out_phi (H, Q), query 0 of either. Unsmoothed, it orders the
    examples of one target as the loss does: what it adds is a threshold that fits every target.
    """
    population = np.sort(ye2022.observed(target_held_out_phi[:, 0]))[:, None]
    return -ye2022.alpha(smoothing, ye2022.observed(target_phi[:, 0]), population)
