"""What LiRA's online and offline attacks share around the formula: statistic, pooling, preset.

Not an attack itself.
"""

from functools import reduce
from operator import add

import numpy as np

from miatlas.attacks.shared import gaussian, tf_privacy_2021
from miatlas.audits.attack import Not, reads
from miatlas.signals import statistics

SCORE = (  # what both read beside the masks
    reads("target_phi", "refs_phi", statistic=Not("hinge")),
    reads("target_logits", "refs_logits", "labels", statistic="hinge"),
)
FIT = (
    reads("refs_phi", statistic=Not("hinge")),
    reads("refs_logits", "labels", statistic="hinge"),
)
IN_ORDER = ({"preset": "tf_privacy_2021"},)  # takes the first models, as the public script does
FITS = ({"variance": "global"}, {"preset": Not(None)})  # which pool over all examples

ORIENTED = {  # statistics of phi, turned so that higher = member
    "logit": lambda phi: phi.astype(np.float64),
    "confidence": statistics.confidence_from_phi,
    "loss": lambda phi: -statistics.loss_from_phi(phi),
    "logit_unstable": statistics.logit_unstable_from_phi,
}


def observed(statistic, queries, phi, logits, labels, models=False) -> np.ndarray:
    """Return the statistic at the first `queries` queries (None: all), higher = member.

    phi (N, Q), logits (N, C) of query 0 or (N, Q, C); with `models`, a leading axis R on both.
    Returns float64 (N, Q') or (R, N, Q'). Of phi and logits the hinge takes logits, all others phi.
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


def summarise(piece, kinds, *, queries, variance, statistic, preset, **_) -> dict:
    """Return what is pooled of one slice, by kind."""
    signals = (getattr(piece, name, None) for name in ("refs_phi", "refs_logits", "labels"))
    refs = observed(statistic, queries, *signals, models=True)
    masks = {kind: getattr(piece, f"refs_{kind}") for kind in kinds}
    if preset:
        fixed = variance == "global"
        return {kind: tf_privacy_2021.Pool.of(fixed, refs, mask) for kind, mask in masks.items()}
    return {kind: gaussian.Pool.of(refs, mask) for kind, mask in masks.items()}


def fit(summaries, kinds) -> dict:
    """Return what is pooled over all examples, by kind."""
    return {kind: reduce(add, (one[kind] for one in summaries)).result() for kind in kinds}
