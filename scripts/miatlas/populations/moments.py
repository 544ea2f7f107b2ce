"""The means and deviations by which a population's examples are standardised for the models."""

import numpy as np

from miatlas.populations.base import Population


def moments(population: Population, standardise: str) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation, of each channel (C,) of images or each column (d,) of features.

    Features: over what is no official test set; "numeric" leaves columns of nothing but 0 and 1 as
    they are, which one-hot and binary features are, "all" takes them too. A constant column is only
    moved to 0. Images: over all, channel by channel. 0 and 1, (1,) each, for "none" and for tokens.
    """
    if standardise == "none" or population.tokens:
        return np.zeros(1), np.ones(1)
    scaled = population.x / np.float32(population.scale)
    if scaled.ndim == 4:
        return scaled.mean((0, 2, 3), dtype=np.float64), scaled.std((0, 2, 3), dtype=np.float64)
    kept = np.zeros(scaled.shape[1], bool)
    if standardise == "numeric":
        kept = ((scaled == 0) | (scaled == 1)).all(axis=0)
    if kept.all():
        return np.zeros(len(kept)), np.ones(len(kept))
    from sklearn.preprocessing import StandardScaler  # half of what reading images takes

    fitted = StandardScaler().fit(scaled[~population.test])
    return np.where(kept, 0.0, fitted.mean_), np.where(kept, 1.0, fitted.scale_)
