"""Shadow models in the target's place, each compared with others. Not an attack itself."""

import numpy as np


def means_of_others(values, outs, rank) -> tuple[np.ndarray, np.ndarray]:
    """Return each model's mean of the others' OUT values (R, n), and where there is one.

    values, rank (R, n), outs bool (R, n). An OUT model is none of its own OUT references. An IN
    model does without one too, the one of lowest rank: both means have equally many values, and
    nothing but the training tells members from others. There is none with fewer than two.
    """
    total = np.sort(np.where(outs, values, 0.0), axis=0).sum(axis=0)  # in any order of the models
    lowest = np.where(outs, rank, np.uint64(2**64 - 1)).argmin(axis=0)
    spared = np.take_along_axis(values, lowest[None], axis=0)
    count = outs.sum(axis=0)
    means = (total - np.where(outs, values, spared)) / np.maximum(count - 1, 1)
    return means, np.broadcast_to(count > 1, outs.shape)
