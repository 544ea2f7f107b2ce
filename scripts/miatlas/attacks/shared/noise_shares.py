"""Which deviation of noise tells members best, by shares of noisy copies. Not an attack itself."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np


def counts(shares, refs_in, refs_out) -> dict[tuple, np.ndarray]:
    """Return the numbers of members and non-members, (2,), by deviation and share of copies.

    shares (R, n, S), masks (R, n). A probe of T copies has T + 1 shares.
    """
    found = defaultdict(lambda: np.zeros(2))
    for kind, mask in enumerate((refs_in, refs_out)):
        for deviation, of_one in enumerate(shares[mask].T):
            for share, count in zip(*np.unique(of_one, return_counts=True), strict=True):
                found[deviation, share][kind] += count
    return found


def best(parts: Iterable[dict]) -> int:
    """Return which deviation tells the shadow models' members and non-members apart best.

    Best has the largest advantage at the best threshold, which all models share; the first of equal
    ones.
    """
    total = defaultdict(lambda: np.zeros(2))  # (deviation, share) -> members, non-members
    for part in parts:
        for what, numbers in part.items():
            total[what] += numbers
    deviations = range(1 + max(deviation for deviation, _ in total))
    return int(np.argmax([advantage(total, deviation) for deviation in deviations]))


def advantage(counts: dict, deviation: int) -> float:
    """Return max(TPR - FPR) over all thresholds on the share."""
    rows = [counts[key] for key in sorted(counts, reverse=True) if key[0] == deviation]
    above = np.cumsum(rows, axis=0)  # members and others with at least that share
    true, false = (above / np.maximum(above[-1], 1)).T
    return max(0.0, (true - false).max())
