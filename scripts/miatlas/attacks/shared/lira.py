"""What LiRA's online and offline attacks share around the formula: statistic, pooling, preset.

Not an attack itself.
"""

import numpy as np

from miatlas.attacks.shared import gaussian, tf_privacy_2021
from miatlas.signals import statistics

ORIENTED = {  # statistics of phi, turned so that higher = member
    "logit": lambda phi: phi.astype(np.float64),
    "confidence": statistics.confidence_from_phi,
    "loss": lambda phi: -statistics.loss_from_phi(phi),
    "logit_unstable": statistics.logit_unstable_from_phi,
}


def needs(statistic: str) -> set[str]:
    """Return which signals the statistic is computed from: names of arguments of `score`."""
    if statistic == "hinge":
        return {"target_logits", "refs_logits", "labels"}
    return {"target_phi", "refs_phi"}


def observed(statistic, queries, phi, logits, labels, models=False) -> np.ndarray:
    """Return the statistic at the first `queries` queries (None: all), higher = member.

    phi (N, Q), logits (N, C) of query 0 or (N, Q, C); with `models`, a leading axis R on both.
    Returns float64 (N, Q') or (R, N, Q'). Of phi and logits only the one in `needs` is read.
    """
    if statistic != "hinge":
        return ORIENTED[statistic](statistics.first_queries(phi, queries))
    has_queries = logits.ndim == (4 if models else 3)
    logits = logits if has_queries else logits[..., None, :]
    margins = statistics.hinge(logits, np.asarray(labels)[:, None])
    return statistics.first_queries(margins, queries)


def normal(refs, mask, kind, fitted, *, variance, location, preset):
    """Return mu, s (N, Q) of the references of one kind, "in" or "out", after `fit`.

    Raises ValueError if something pooled over all examples is needed and `fit` was not called.
    """
    if fitted is None and (preset or variance == "global"):
        raise ValueError("a global variance and the preset need what fit returns; call it first")
    if preset:
        return tf_privacy_2021.normal(refs, mask, fitted[kind])
    return gaussian.normal(refs, mask, location, None if fitted is None else fitted[kind])


def fit(slices, kinds, *, queries, variance, statistic, preset, **_) -> dict | None:
    """Return what is pooled over all examples, by kind; None, reading no slice, if nothing is."""
    if preset:
        pools = {kind: tf_privacy_2021.Pool(variance == "global") for kind in kinds}
    elif variance == "global":
        pools = {kind: gaussian.Pool() for kind in kinds}
    else:
        return None
    for piece in slices:
        read = needs(statistic)  # and nothing else: a piece may load what it is asked for
        names = ("refs_phi", "refs_logits", "labels")
        inputs = [getattr(piece, name) if name in read else None for name in names]
        refs = observed(statistic, queries, *inputs, models=True)
        for kind, pool in pools.items():
            pool.add(refs, getattr(piece, f"refs_{kind}"))
    return {kind: pool.result() for kind, pool in pools.items()}
