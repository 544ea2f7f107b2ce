"""Label-only attack (Choquette-Choo et al. 2021): how firmly the target holds to the label."""

from typing import Annotated, Literal

import numpy as np

from miatlas.attacks.shared import noise_shares, votes
from miatlas.audits.attack import Attack, reads
from miatlas.options import positive
from miatlas.signals.statistics import first_queries

ATTACK = Attack(
    title="Label-only attack",
    authors="Choquette-Choo et al.",
    year=2021,
    source="choquettechoo2021, as methods §3 states it",
    score=[
        reads("target_noisy_labels", copies="noisy"),
        reads("target_logits", "labels", copies="queries"),
    ],
    fit=[reads("refs_noisy_labels", "refs_in", "refs_out")],
    fits=({"copies": "noisy"},),
    learns=True,
    shares_pass=True,
    labels_suffice=({},),
)


def score(
    target_noisy_labels=None, target_logits=None, labels=None, fitted=None,
    *,
    copies: Literal["noisy", "queries"] = "noisy",
    queries: Annotated[int, positive] | None = None,
) -> np.ndarray:  # fmt: skip
    """Return the share of copies of the example whose label is right, (N,); higher = member.

    Training moves the decision boundary away from its examples, and the label is all that shows it:
    of noisy copies, target_noisy_labels (N, S), at that of S deviations at which the shadow models'
    members and others differ most; or of augmented queries, the likeliest class of logits
    (N, Q, C), or (N, C) of the untouched example alone, where it is the gap attack.

    `copies`: noisy ones, or the augmented queries. `queries`: how many of these, from the first
    on (default: all whose answers are kept).
    """
    if copies == "noisy":
        return target_noisy_labels[:, fitted].astype(np.float64)
    return first_queries(votes.right(target_logits, labels), queries).mean(axis=1)


def summarise(lesson, **_) -> dict[tuple, np.ndarray]:
    """Return the numbers of members and non-members by deviation and share of right labels."""
    return noise_shares.counts(lesson.refs_noisy_labels, lesson.refs_in, lesson.refs_out)


def fit(summaries, **_) -> int:
    """Return which deviation tells the shadow models' members and non-members apart best."""
    return noise_shares.best(summaries)
