"""Attack S (ye2022 §4.1, Eq. 16): shadow models give a threshold to each label."""

from collections import defaultdict
from typing import Literal

import numpy as np

from miatlas.attacks import ye2022
from miatlas.attacks.gaussian import among


def score(
    target_phi, labels, refs_phi, refs_out, fitted,
    *, smoothing: Literal[
        "empirical", "linear", "logit_gaussian", "min_linear_logit", "mean_linear_logit"
    ] = "linear",
) -> np.ndarray:  # fmt: skip
    """Return -alpha, the rank of the loss among OUT losses of the same label; higher = member.

    target_phi (N, Q), query 0 of it; refs_phi (R, N, Q) and refs_out (R, N) are for `fit`.
    """
    losses, alpha = ye2022.observed(target_phi[:, 0]), np.empty(len(labels))
    for label in np.unique(labels):
        own, references = labels == label, ye2022.observed(fitted[label])  # of one label at a time
        alpha[own] = ye2022.alpha(smoothing, losses[own], references[:, None])
    return -alpha


def fit(slices, **_) -> dict[int, np.ndarray]:
    """Return phi of each label's examples under their OUT references, the smallest loss first.

    All are kept, as the rank is exact: k float32 numbers an example, k being its OUT references.
    This, not the slices, bounds the memory: 4 k bytes an example, 128 MB for a million with k = 32.
    """
    pools = defaultdict(list)
    for piece in slices:
        outs = among(piece.refs_phi[..., 0], piece.refs_out)  # (k, n)
        for label in np.unique(piece.labels):
            pools[label].append(outs[:, piece.labels == label].ravel())
    fitted = {}
    for label in sorted(pools):
        fitted[label] = np.concatenate(pools.pop(label))  # popped: never held twice over
        fitted[label][::-1].sort()
    return fitted
