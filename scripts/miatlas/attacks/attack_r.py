"""Attack R (Ye et al. 2022, §4.3): reference models give a threshold to each example."""

from typing import Literal

import numpy as np

from miatlas.attacks.shared import loss_ranks as ye2022
from miatlas.attacks.shared import votes
from miatlas.attacks.shared.gaussian import among
from miatlas.audits.attack import Attack, Not, reads

ATTACK = Attack(
    title="Attack R",
    authors="Ye et al.",
    year=2022,
    source="ye2022 §4.3, Eq. 27",
    score=[
        reads("refs_out"),
        reads("refs_in", refs="all"),
        reads("target_phi", "refs_phi", statistic=Not("label")),
        reads("target_logits", "refs_logits", "labels", statistic="label"),
    ],
    labels_suffice=({"statistic": "label"},),
    hardness="example",
)


def score(
    target_phi=None, refs_phi=None, refs_out=None, refs_in=None,
    target_logits=None, refs_logits=None, labels=None,
    *, smoothing: Literal[
        "empirical", "linear", "logit_gaussian", "min_linear_logit", "mean_linear_logit"
    ] = "linear",
    refs: Literal["out", "all"] = "out",
    statistic: Literal["loss", "exp_minus_confidence", "label"] = "loss",
) -> np.ndarray:  # fmt: skip
    """Return -alpha, the rank of the loss among its losses under references; higher = member.

    target_phi (N, Q), refs_phi (R, N, Q), query 0 of either; masks (R, N). `refs: all` takes the IN
    references too and `exp_minus_confidence` replaces the loss, as the public scripts of 2022 do.
    On labels alone, target_logits (N, C) or (N, Q, C) with labels (N,), the loss is that of a vote:
    -log of the share of the queries whose label is right, half a vote added to either side.

    `smoothing`: how a rank among references becomes a rate, as in ye2022 §4: `empirical`
    counts, `linear` interpolates, `logit_gaussian` fits a normal to the logits, and the last
    two take the smaller or the mean of both thresholds. `refs`: OUT references alone, or all of
    them. `statistic`: what is ranked: the loss, `exp_minus_confidence` in its place, or the loss
    of a vote over the queries, of which the `label` alone is looked at.
    """
    models = refs_out if refs == "out" else refs_out | refs_in
    target = votes.phi_of(statistic, target_phi, target_logits, labels)
    others = votes.phi_of(statistic, refs_phi, refs_logits, labels, models=True)
    references = ye2022.observed(among(others, models), statistic)
    observed = ye2022.observed(target, statistic)
    return -ye2022.alpha(smoothing, observed, np.sort(references, axis=0))
