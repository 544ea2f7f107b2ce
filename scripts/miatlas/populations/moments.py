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
    if population.x.ndim == 4 and population.x.dtype == np.uint8:
        return _of_bytes(population.x, population.scale)
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


def _of_bytes(x, scale):
    """Return mean and deviation (C,) of images of bytes (N, C, H, W), by how often each occurs."""
    channels = np.moveaxis(x, 1, 0)
    parts = range(0, len(x), 1024)  # counting takes eight bytes for one
    counts = np.array([
        sum(np.bincount(of_one[i : i + 1024].ravel(), minlength=256) for i in parts)
        for of_one in channels
    ])  # fmt: skip
    values = (np.arange(256, dtype=np.float32) / np.float32(scale)).astype(np.float64)
    shares = counts / counts.sum(1, keepdims=True)
    mean = shares @ values
    return mean, np.sqrt((shares * (values - mean[:, None]) ** 2).sum(1))
