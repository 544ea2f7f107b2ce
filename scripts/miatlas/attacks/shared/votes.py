"""What an example's queries say where models answer a label alone: which are right, and a vote.

Not an attack itself. Logits are (N, C) of the untouched example, or (N, Q, C) of its queries; of
models with a leading axis R. Only their largest is looked at, the first of equal ones.
"""

import numpy as np


def right(logits: np.ndarray, labels, models: bool = False) -> np.ndarray:
    """Return whether the likeliest class is the label, of each query: bool (N, Q) or (R, N, Q)."""
    asked = logits if logits.ndim == 3 + models else logits[..., None, :]
    return asked.argmax(axis=-1) == np.asarray(labels)[:, None]


def phi_of(statistic: str, answered, logits, labels, models: bool = False) -> np.ndarray:
    """Return phi of the untouched example, or that of a vote for the statistic `label`: (..., N).

    answered (..., N, Q) is phi as models answered it, with None for what a statistic does not read.
    """
    return phi(logits, labels, models) if statistic == "label" else answered[..., 0]


def phi(logits: np.ndarray, labels, models: bool = False) -> np.ndarray:
    """Return the logit of the share of queries whose label is right, float32 (N,) or (R, N).

    Half a vote is added to either side, log (right + ½) / (wrong + ½), so that it is finite where
    all agree: phi as a model would have it that is as sure of the label as its queries are.
    """
    votes = right(logits, labels, models)
    yes = votes.sum(axis=-1)
    return np.log((yes + 0.5) / (votes.shape[-1] - yes + 0.5)).astype(np.float32)
