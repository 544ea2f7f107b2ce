"""How much of what several attacks name is the same: shares of pairs of target and example.

Shapes: bool [T, N], a row a target, an entry a pair that counts, or is named.
"""

import numpy as np

from miatlas.leakage.intervals import clopper_pearson
from miatlas.leakage.targets import limits, reach, skewed

LEAST = 10  # pairs that a share is of, below which no interval is printed


def jaccard(first: np.ndarray, second: np.ndarray) -> dict:
    """Return the share of the pairs named by either attack that both name, as `share` does."""
    return share(first & second, first | second)


def share(part: np.ndarray, whole: np.ndarray) -> dict:
    """Return {value, low, high, part, whole}: how many of the pairs of `whole` are in `part` ⊆ it.

    All targets together. The interval of 95 % is for thresholds as they are. Of several targets it
    speaks of this population, models and examples both drawn: that of a ratio of means over two-way
    clusters (targets share examples), and no narrower than Clopper and Pearson's of the counts. The
    latter is one target's, of this model and other examples: given how many pairs count, those in
    the part are binomial. None where fewer than LEAST pairs count; the value of no pair is None.
    """
    counts = {"part": int(part.sum()), "whole": int(whole.sum())}
    found = {"value": None, "low": None, "high": None, **counts}
    if not counts["whole"]:
        return found
    found["value"] = value = counts["part"] / counts["whole"]
    if counts["whole"] < LEAST:
        return found
    low, high = clopper_pearson(counts["part"], counts["whole"])
    if len(whole) > 1:
        influence = (part - value * whole) / counts["whole"]
        around = reach(influence.sum(axis=1), influence)
        other = skewed(value, value - around, value + around)
        low, high = min(low, other[0]), max(high, other[1])
    return found | limits(low, high)
