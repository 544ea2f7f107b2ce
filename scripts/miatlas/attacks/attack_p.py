"""Attack P (Ye et al. 2022, §4.2): population data give a threshold to each target model."""

from typing import Annotated, Literal

import numpy as np

from miatlas.attacks.shared import loss_ranks as ye2022
from miatlas.attacks.shared import votes
from miatlas.audits.attack import Attack, Not, reads
from miatlas.options import positive

ATTACK = Attack(
    title="Attack P",
    authors="Ye et al.",
    year=2022,
    source="ye2022 §4.2, Eq. 22",
    score=[
        reads("target_phi", "target_held_out_phi", statistic="loss"),
        reads("target_logits", "target_held_out_logits", "labels", statistic="label"),
        reads("held_out_labels", statistic="label"),
        reads("held_out_labels", per_class=Not(None)),
    ],
    labels_suffice=({"statistic": "label"},),
)


def score(
    target_phi=None, target_held_out_phi=None, held_out_labels=None,
    target_logits=None, target_held_out_logits=None, labels=None,
    *, smoothing: Literal[
        "empirical", "linear", "logit_gaussian", "min_linear_logit", "mean_linear_logit"
    ] = "linear",
    per_class: Annotated[int, positive] | None = None,
    statistic: Literal["loss", "label"] = "loss",
) -> np.ndarray:  # fmt: skip
    """Return -alpha, the rank of the loss among the target's held-out losses; higher = member.

    target_phi (N, Q), target_held_out_phi (H, Q), query 0 of either; held_out_labels (H,). It
    orders the examples of one target as the loss does: what it adds is a threshold that fits every
    target. Of a class with fewer held-out examples than are kept of each, all are; the paper keeps
    400 or 1000 (App. A.2). On labels alone, logits (N, C) or (N, Q, C) and (H, C) or (H, Q, C), the
    loss is that of a vote: -log of the share of the queries whose label is right, half a vote added
    to either side.

    `smoothing`: how a rank among references becomes a rate, as in ye2022 §4: `empirical`
    counts, `linear` interpolates, `logit_gaussian` fits a normal to the logits, and the last
    two take the smaller or the mean of both thresholds. `per_class`: how many held-out examples
    of each class are kept, the first ones (default: all). `statistic`: what is ranked: the loss,
    or the loss of a vote over the queries, of which the `label` alone is looked at.
    """
    target = votes.phi_of(statistic, target_phi, target_logits, labels)
    held_out = votes.phi_of(statistic, target_held_out_phi, target_held_out_logits, held_out_labels)
    chosen = slice(None) if per_class is None else first_of_each(held_out_labels, per_class)
    population = ye2022.Shared(held_out[chosen])
    return -ye2022.alpha(smoothing, ye2022.observed(target), population)


def first_of_each(labels: np.ndarray, count: int) -> np.ndarray:  # (H,) -> (count * classes,)
    """Return the indices of the first `count` examples of every class that occurs.

    All of a class that has fewer, which the log says.
    """
    places = {label: np.flatnonzero(labels == label) for label in np.unique(labels)}
    label, fewest = min(((y, len(p)) for y, p in places.items()), key=lambda pair: pair[1])
    if fewest < count:
        few = sum(len(where) < count for where in places.values())
        print(
            f"per_class: {count}, but {few} of {len(places)} classes have fewer held-out examples"
            f" (class {label}: {fewest}): all of these are taken"
        )
    return np.concatenate([where[:count] for where in places.values()])
