"""MERLIN (Jayaraman et al. 2021; carlini2022 §V-C): how often noise raises an example's loss."""

import numpy as np

from miatlas.attacks.shared import noise_shares
from miatlas.audits.attack import Attack, reads

ATTACK = Attack(
    title="MERLIN",
    authors="Jayaraman et al.",
    year=2021,
    source="carlini2022 §V-C",
    score=[reads("target_noise")],
    fit=[reads("refs_noise", "refs_in", "refs_out")],
    learns=True,
    shares_pass=True,
)


def score(target_noise, fitted) -> np.ndarray:  # (N, S) -> (N,)
    """Return the share of noisy copies with a larger loss than the example; higher = member.

    Training leaves its examples near a minimum of the loss. target_noise (N, S) has the shares of
    the probe `noise`, at S deviations of which `fit` has chosen one.
    """
    return target_noise[:, fitted].astype(np.float64)


def summarise(lesson) -> dict[tuple, np.ndarray]:
    """Return the numbers of members and others by deviation and share; refs_noise (R, n, S)."""
    return noise_shares.counts(lesson.refs_noise, lesson.refs_in, lesson.refs_out)


def fit(summaries) -> int:
    """Return which deviation tells the shadow models' members and non-members apart best."""
    return noise_shares.best(summaries)
