"""Aleatoric uncertainty, calibration error, epistemic uncertainty: the Dirichlet laws they make.

The summary of zhu2025 names the factors (Eqs. 23, 24, 28 to 30) without giving the equations: this
parametrisation is ours. Given an example, C classes and its label y,

    p*_y = 1 - A, the other classes A / (C-1) each      A in [0, 1 - 1/C]: aleatoric uncertainty
    m_in,y = (1 + Δ) p*_y, m_out = p*                   Δ: relative calibration error of IN models
    Σ Var(p_c) / Σ m_c (1 - m_c) = 1 / (α_0 + 1) = E    E in (0, 1): epistemic uncertainty
    α = (1/E - 1) m

IN models are too sure of what they were trained on, by Δ; OUT models are calibrated.
"""

from typing import NamedTuple

import numpy as np

from miatlas.bounds.divergences import beta_of

SUREST = 1.0 - 1e-6  # the largest mean confidence: a law needs a little of every class


class Factors(NamedTuple):
    """The three factors, of shape (n,) each, and E of the IN law beside that of the OUT law."""

    aleatoric: np.ndarray
    calibration: np.ndarray
    epistemic: np.ndarray
    epistemic_in: np.ndarray


def laws(
    classes: int, aleatoric, calibration, epistemic, calibration_out=0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the parameters α_in, α_out (..., C) of what the factors (...) describe; label 0.

    Mean confidences are cut at SUREST: for A ≤ Δ / (1 + Δ), and for A = 0, the map is not
    invertible. Raises ValueError outside the factors' ranges.
    """
    given = (aleatoric, epistemic, calibration, calibration_out)
    a, e, *errors = np.broadcast_arrays(*(np.asarray(part, np.float64) for part in given))
    if np.any((a < 0) | (a > 1.0 - 1.0 / classes + 1e-12)):
        raise ValueError(f"aleatoric uncertainty must lie in [0, 1 - 1/{classes}]")
    if np.any((e <= 0) | (e >= 1)):
        raise ValueError("epistemic uncertainty must lie in (0, 1), its ends excluded")
    if any(np.any(error <= -1) for error in errors):
        raise ValueError("a relative calibration error must lie above -1")
    return tuple(_law(classes, (1.0 + error) * (1.0 - a), 1.0 / e - 1.0) for error in errors)


def _law(classes, mean, concentration):
    mean = np.minimum(mean, SUREST)
    others = np.repeat(((1.0 - mean) / (classes - 1))[..., None], classes - 1, axis=-1)
    return concentration[..., None] * np.concatenate([mean[..., None], others], axis=-1)


def factors(alpha_in: np.ndarray, alpha_out: np.ndarray, labels) -> Factors:
    """Return the factors of two laws (n, C) of examples with labels (n,): the map backwards."""
    (of_in, _), (of_out, others) = (_means(alpha, labels) for alpha in (alpha_in, alpha_out))
    return Factors(
        aleatoric=others,
        calibration=of_in / of_out - 1.0,
        epistemic=1.0 / (alpha_out.sum(axis=-1) + 1.0),
        epistemic_in=1.0 / (alpha_in.sum(axis=-1) + 1.0),
    )


def _means(alpha, labels):  # (n, C), (n,) -> (n,), (n,)
    """Return the mean confidence of the true label, and that of all others, which may be tiny."""
    own = beta_of(alpha, labels)
    return np.moveaxis(own / own.sum(axis=-1, keepdims=True), -1, 0)
