"""Decision sets {c : p_c ≥ τ} of confidence vectors, and how often IN and OUT models answer one."""

import numpy as np


def decided(log_p: np.ndarray, threshold) -> np.ndarray:
    """Return which classes reach the threshold (...): bool, the shape of log_p (..., C)."""
    with np.errstate(divide="ignore"):
        return log_p >= np.log(threshold)[..., None]


def log_ratio(observed, answers, refs_in, refs_out, smoothing: float) -> np.ndarray:
    """Return log (f_in(S) + ε) - log (f_out(S) + ε) of sets (N, C), (N,).

    f(S) is the share of the references in the mask (R, N) whose answers (R, N, C) are S, and ε =
    smoothing / k, with k references of the scarcer kind: a set that none of them answered says
    nothing, and one that few did says little.
    """
    equal = (answers == observed).all(axis=-1)  # (R, N)
    counts = [mask.sum(axis=0) for mask in (refs_in, refs_out)]
    least = smoothing / np.minimum(*counts)
    logs = [
        np.log((equal & mask).sum(axis=0) / count + least)
        for mask, count in zip((refs_in, refs_out), counts, strict=True)
    ]
    return logs[0] - logs[1]
