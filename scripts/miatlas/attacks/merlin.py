"""MERLIN (Jayaraman et al. 2021; carlini2022 §V-C): how often noise raises an example's loss."""

from collections import defaultdict

import numpy as np

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
    """Return the numbers of members and non-members, (2,), by deviation and share of copies.

    refs_noise (R, n, S). A probe of T copies has T + 1 shares.
    """
    counts = defaultdict(lambda: np.zeros(2))
    for kind, mask in enumerate((lesson.refs_in, lesson.refs_out)):
        for deviation, shares in enumerate(lesson.refs_noise[mask].T):
            for share, count in zip(*np.unique(shares, return_counts=True), strict=True):
                counts[deviation, share][kind] += count
    return counts


def fit(summaries) -> int:
    """Return which deviation tells the shadow models' members and non-members apart best.

    Best has the largest advantage at the best threshold, which all models share; the first of equal
    ones.
    """
    counts = defaultdict(lambda: np.zeros(2))  # (deviation, share) -> members, non-members
    for summary in summaries:
        for what, numbers in summary.items():
            counts[what] += numbers
    deviations = range(1 + max(deviation for deviation, _ in counts))
    return int(np.argmax([advantage(counts, deviation) for deviation in deviations]))


def advantage(counts: dict, deviation: int) -> float:
    """Return max(TPR - FPR) over all thresholds on the share."""
    rows = [counts[key] for key in sorted(counts, reverse=True) if key[0] == deviation]
    above = np.cumsum(rows, axis=0)  # members and others with at least that share
    true, false = (above / np.maximum(above[-1], 1)).T
    return max(0.0, (true - false).max())
