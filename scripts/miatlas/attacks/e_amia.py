"""E-AMIA (Ali et al. 2023): attack R's rank where the shadow models tell members best, nearby."""

from typing import Literal

import numpy as np

from miatlas.attacks import attack_r
from miatlas.audits.attack import Attack, reads

ATTACK = Attack(
    title="E-AMIA",
    authors="Ali et al.",
    year=2023,
    source="ali2023, abstract, as methods §3 states it",
    score=[reads("target_perturbed", "refs_perturbed", "refs_in", "refs_out")],
    hardness="example",
)


def score(
    target_perturbed, refs_perturbed, refs_in, refs_out,
    *, smoothing: Literal[
        "empirical", "linear", "logit_gaussian", "min_linear_logit", "mean_linear_logit"
    ] = "linear",
    refs: Literal["out", "all"] = "out",
) -> np.ndarray:  # fmt: skip
    """Return -alpha, the rank of the loss at x + δ among the references' there; higher = member.

    The point is AMIA's, found with IN and OUT references alike; the rank is attack R's.
    target_perturbed (N, 1) and refs_perturbed (R, N, 1) are phi there, masks (R, N).

    `smoothing`: how a rank among references becomes a rate, as in ye2022 §4: `empirical`
    counts, `linear` interpolates, `logit_gaussian` fits a normal to the logits, and the last
    two take the smaller or the mean of both thresholds. `refs`: OUT references alone, or all of
    them.
    """
    return attack_r.score(
        target_perturbed, refs_perturbed, refs_out, refs_in, smoothing=smoothing, refs=refs
    )
