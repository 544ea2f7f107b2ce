"""The confidences p(x | model) of RMIA (Zarifzadeh et al. 2024, appendix on the statistic).

Not an attack itself.
"""

import numpy as np

from miatlas.signals.statistics import confidence_from_phi, logit_scaled_confidence


def of_true_label(signals: np.ndarray, labels, options: dict) -> np.ndarray:
    """Return p_y of the untouched example, (...), by the options of `rmia`.

    signals: phi (...) where labels is None, which is for the softmax at temperature 1; else logits
    (..., C) of labels (N,), the last axis before C.
    """
    if labels is None:
        return confidence_from_phi(signals)
    logits = np.divide(signals, options["temperature"], dtype=np.float64)
    if options["statistic"] == "softmax":
        return confidence_from_phi(logit_scaled_confidence(logits, labels))
    return taylor_soft_margin(logits, labels, options["order"], options["margin"])


def untouched(signals: np.ndarray, kind: str, models: bool = False) -> np.ndarray:
    """Return query 0 of phi (N, Q) or of logits (N, C) or (N, Q, C): (N,) or (N, C).

    With `models`, a leading axis R on all of them. Logits without queries are of query 0 already.
    """
    if kind == "phi":
        return signals[..., 0]
    return signals if signals.ndim == 2 + models else signals[..., 0, :]


def taylor_soft_margin(logits, labels, order: int, margin: float) -> np.ndarray:
    """Return e(z_y - margin) / (e(z_y - margin) + Σ_{c≠y} e(z_c)), e the exponential's polynomial.

    e(z) = Σ_{i≤order} z^i / i!, positive everywhere as the order is even. The public script stops
    one power earlier, at z³ for order 4, where e can be negative; here as the paper has it. Not
    the same for logits that differ by a constant.
    """
    is_true = np.arange(logits.shape[-1]) == np.asarray(labels)[..., None]
    terms = exponential(logits - margin * is_true, order)
    return (terms * is_true).sum(axis=-1) / terms.sum(axis=-1)


def exponential(z: np.ndarray, order: int) -> np.ndarray:
    """Return Σ_{i≤order} z^i / i!, by Horner's rule."""
    total = np.ones_like(z)
    for i in range(order, 0, -1):
        total = 1 + z / i * total
    return total
