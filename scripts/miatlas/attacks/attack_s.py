"""Attack S (Ye et al. 2022, §4.1): shadow models give a threshold to each label."""

from collections import defaultdict
from typing import Literal

import numpy as np

from miatlas.attacks.shared import loss_ranks as ye2022
from miatlas.attacks.shared import votes
from miatlas.attacks.shared.gaussian import among
from miatlas.audits.attack import Attack, reads

ATTACK = Attack(
    title="Attack S",
    authors="Ye et al.",
    year=2022,
    source="ye2022 §4.1, Eq. 16",
    score=[
        reads("labels"),
        reads("target_phi", statistic="loss"),
        reads("target_logits", statistic="label"),
    ],
    fit=[
        reads("labels", "refs_out"),
        reads("refs_phi", statistic="loss"),
        reads("refs_logits", statistic="label"),
    ],
    labels_suffice=({"statistic": "label"},),
    hardness="class",
)


def score(
    target_phi=None, labels=None, fitted=None, target_logits=None,
    *, smoothing: Literal[
        "empirical", "linear", "logit_gaussian", "min_linear_logit", "mean_linear_logit"
    ] = "linear",
    statistic: Literal["loss", "label"] = "loss",
) -> np.ndarray:  # fmt: skip
    """Return -alpha, the rank of the loss among OUT losses of the same label; higher = member.

    target_phi (N, Q), query 0 of it; fitted: the losses of each label's OUT references. On labels
    alone, target_logits (N, C) or (N, Q, C), the loss is that of a vote: -log of the share of the
    queries whose label is right, half a vote added to either side.

    `smoothing`: how a rank among references becomes a rate, as in ye2022 §4: `empirical`
    counts, `linear` interpolates, `logit_gaussian` fits a normal to the logits, and the last
    two take the smaller or the mean of both thresholds. `statistic`: what is ranked: the loss, or
    the loss of a vote over the queries, of which the `label` alone is looked at.
    """
    phi = votes.phi_of(statistic, target_phi, target_logits, labels)
    losses, alpha = ye2022.observed(phi), np.empty(len(labels))
    for label in np.unique(labels):
        own = labels == label
        alpha[own] = ye2022.alpha(smoothing, losses[own], fitted[label])
    return -alpha


def fit(slices, *, statistic="loss", **_) -> dict[int, ye2022.Shared]:
    """Return the losses of each label's examples under their OUT references.

    All are kept, as the rank is exact. This bounds the memory, not the slices: four bytes for each
    OUT reference of each example, 128 MB for a million examples with 32.
    """
    pools, kind = defaultdict(bytearray), None  # these grow in place: nothing is held twice over
    for piece in slices:
        if statistic == "label":
            refs = votes.phi(piece.refs_logits, piece.labels, models=True)
        else:
            refs = piece.refs_phi[..., 0]
        outs = among(refs, piece.refs_out)  # (k, n)
        kind = outs.dtype
        for label in np.unique(piece.labels):
            pools[label] += outs[:, piece.labels == label].tobytes()
    return {y: ye2022.Shared(np.frombuffer(pools.pop(y), kind)) for y in sorted(pools)}
