"""What a model's answer to one query is reduced to: one number, from logits or from phi.

Shapes: logits (..., C); labels of a shape that broadcasts against logits.shape[:-1] (so labels (N,)
serve logits (M, N, C); logits (M, N, Q, C) want labels[:, None]); results logits.shape[:-1].
Everything is computed in float64, whatever precision the logits were stored in.

Orientation is the statistic's own: phi, hinge and confidence are high where a model is sure of the
true label, loss and entropy are low there. Attacks do the negating.
"""

import numpy as np
import scipy

UNSTABLE_EPSILON = 1e-45


def logit_scaled_confidence(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return phi = log p_y - log Σ_{c≠y} p_c, the stable form of carlini2022 §VI-A.

    The softmax's normaliser cancels between the two terms, which leaves
    z_y - logsumexp_{c≠y} z_c: no probability is ever rounded. Raises ValueError if C < 2.
    """
    true, wrong = _split(logits, labels)
    largest = wrong.max(axis=-1)
    return true - largest - np.log(np.exp(wrong - largest[..., None]).sum(axis=-1))


def hinge(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return z_y - max_{c≠y} z_c (carlini2022 §VI-A). Raises ValueError if C < 2."""
    true, wrong = _split(logits, labels)
    return true - wrong.max(axis=-1)


def entropy(logits: np.ndarray) -> np.ndarray:
    """Return H = -Σ_c p_c log p_c in nats, p = softmax(z); exact also where H is tiny.

    With w = z - max z and S = Σ exp(w): H = log S - Σ exp(w) w / S. The largest term of S is 1; it
    is kept out of the sum and put back by log1p, so that sure answers keep their order.
    """
    shifted = logits - logits.max(axis=-1, keepdims=True).astype(np.float64)
    powers = np.exp(shifted)
    np.put_along_axis(powers, logits.argmax(axis=-1)[..., None], 0.0, axis=-1)
    rest = powers.sum(axis=-1)
    return np.log1p(rest) - (powers * shifted).sum(axis=-1) / (1.0 + rest)


def loss_from_phi(phi: np.ndarray) -> np.ndarray:
    """Return the cross-entropy -log p_y = softplus(-phi), in nats; same shape as phi."""
    return np.logaddexp(0.0, -np.asarray(phi, dtype=np.float64))


def confidence_from_phi(phi: np.ndarray) -> np.ndarray:
    """Return p_y = 1 / (1 + exp(-phi)); same shape as phi."""
    return scipy.special.expit(np.asarray(phi, dtype=np.float64))


def logit_unstable_from_phi(phi: np.ndarray) -> np.ndarray:
    """Return log(p_y) - log(1 - p_y) from a p_y rounded to float32: carlini2022 Fig. 8's bad one.

    Logarithms are log(x + 1e-45), so a p_y that rounds to 1 gives about 103.6, whatever phi was.
    The paper says only "a small epsilon"; the value is ours, the smallest float32 number.
    """
    p = confidence_from_phi(phi).astype(np.float32).astype(np.float64)
    return np.log(p + UNSTABLE_EPSILON) - np.log(1.0 - p + UNSTABLE_EPSILON)


def first_queries(values: np.ndarray, queries: int | None) -> np.ndarray:
    """Return the first `queries` of the last axis (None: all); ValueError if there are fewer."""
    available = values.shape[-1]
    if queries is not None and queries > available:
        raise ValueError(
            f"queries is {queries}, but the signals hold {available} for this statistic"
        )
    return values[..., :queries]


def untouched(logits: np.ndarray) -> np.ndarray:
    """Return query 0's logits: (N, C) of (N, C), which holds nothing else, or of (N, Q, C)."""
    return logits if logits.ndim == 2 else logits[:, 0]


def _split(logits, labels):  # (..., C), (...) -> (...), (..., C)
    """Return the true class's logits, and all logits with the true class's at -inf."""
    classes = logits.shape[-1]
    if classes < 2:
        raise ValueError(f"logits have {classes} class; a wrong class is needed to compare with")
    wrong, index = logits.astype(np.float64), np.broadcast_to(labels, logits.shape[:-1])[..., None]
    true = np.take_along_axis(wrong, index, axis=-1)[..., 0]
    np.put_along_axis(wrong, index, -np.inf, axis=-1)
    return true, wrong
