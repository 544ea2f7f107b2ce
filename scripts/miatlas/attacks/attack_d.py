"""Attack D (ye2022 §4.4, Eq. 38): distilled models give a threshold to each model and example."""

from typing import Literal

import numpy as np

from miatlas.attacks import attack_r

COHORT = "distilled"  # what the shadow models must be: students of the target


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
    """
    return attack_r.score(target_phi, refs_phi, refs_out, refs_in, smoothing=smoothing, refs=refs)


def needs(options: dict) -> set[str]:
    """Return the arguments of `score` that these options need."""
    return attack_r.needs(options)
