"""Outliers only (Long et al. 2020; carlini2022 §V-C): is the loss too low for a non-member?"""

from typing import Annotated, Literal

import numpy as np

from miatlas.attacks.shared import loss_ranks as ye2022
from miatlas.attacks.shared.gaussian import among
from miatlas.audits.attack import Attack, reads
from miatlas.options import between

ATTACK = Attack(
    title="Outliers only",
    authors="Long et al.",
    year=2020,
    source="carlini2022 §V-C",
    score=[reads("target_phi", "refs_phi", "refs_out", "ref_distances")],
    fit=[reads("ref_distances")],
    hardness="example",
)

NOT_ATTACKED = -1.0  # no rate is above 1


def score(
    target_phi, refs_phi, refs_out, ref_distances, fitted,
    *,
    outliers: Annotated[float, between(0, 1)] = 0.1,
    smoothing: Literal[
        "empirical", "linear", "logit_gaussian", "min_linear_logit", "mean_linear_logit"
    ] = "linear",
) -> np.ndarray:  # fmt: skip
    """Return -Pr[OUT loss ≤ loss] of outliers, NOT_ATTACKED for all others, (N,); higher = member.

    The probability is that of the example's own losses under OUT references, (R, N), smoothed as in
    attack R, where the paper fits splines. ref_distances (N,) are the examples' cosine distances to
    their nearest neighbours in the features of one reference model, whose training set tells
    nothing of the target's (none of its group of halves, not its pair); the share `outliers` with
    the largest is attacked. target_phi (N, Q), refs_phi (R, N, Q), query 0 of either.

    `outliers`: the share of examples, those farthest from all others, that is attacked.
    `smoothing`: how a rank among references becomes a rate, as in ye2022 §4: `empirical`
    counts, `linear` interpolates, `logit_gaussian` fits a normal to the logits, and the last
    two take the smaller or the mean of both thresholds.
    """
    references = np.sort(ye2022.observed(among(refs_phi[..., 0], refs_out)), axis=0)
    alpha = ye2022.alpha(smoothing, ye2022.observed(target_phi[:, 0]), references)
    return np.where(ref_distances >= fitted, -alpha, NOT_ATTACKED)


def fit(slices, *, outliers, **_) -> float:
    """Return the least distance of an outlier among all evaluated examples, of which one is one.

    carlini2022's share is missing from our text of it; of all shares that allow its balanced
    accuracy of 54.5 % (Table I), 10 % is the least round one: nobody else is guessed right.
    """
    distances = np.concatenate([piece.ref_distances for piece in slices])
    attacked = max(1, round(outliers * len(distances)))
    return np.partition(distances, -attacked)[-attacked]
