"""Thresholds for decision sets that hold the true label as often as is asked.

Split conformal prediction (Vovk, Gammerman and Shafer 2005; Papadopoulos et al. 2002).
"""

import numpy as np


def threshold(log_p: np.ndarray, labels: np.ndarray, coverage: float) -> float:
    """Return τ such that {c : p_c ≥ τ} holds a new example's label with probability ≥ `coverage`.

    The k-th smallest p_y of H held-out examples, k = floor((H + 1)(1 - coverage)); 0, the set of
    all classes, where that is 0. log_p (H, C), labels (H,).
    """
    own = np.sort(np.exp(log_p[np.arange(len(log_p)), labels]))
    k = int(np.floor((len(own) + 1) * (1.0 - coverage) + 1e-9))
    return float(own[k - 1]) if k > 0 else 0.0
