"""Means over the least likely tokens of a text: what `min_k` and `min_k_plus_plus` share.

Not an attack itself.
"""

import numpy as np


def lowest_mean(values: np.ndarray, share: float) -> np.ndarray:  # (N, L) -> (N,)
    """Return the mean of each row's lowest values, `share` of them (rounded, one at least)."""
    count = max(1, round(share * values.shape[1]))
    return np.partition(values, count - 1, axis=1)[:, :count].mean(axis=1)
