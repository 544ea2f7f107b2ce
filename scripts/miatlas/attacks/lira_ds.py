"""LiRA, DS (Zhu et al. 2025): how often IN and OUT models answer the decision set observed."""

from typing import Annotated, Literal

import numpy as np

from miatlas.attacks.shared.likelihoods import untouched
from miatlas.audits.attack import Attack, reads
from miatlas.bounds import dirichlet
from miatlas.bounds.conformal import threshold as threshold_of
from miatlas.bounds.set_frequencies import decided, log_ratio
from miatlas.options import between, positive

ATTACK = Attack(
    title="LiRA, DS",
    authors="Zhu et al.",
    year=2025,
    source="zhu2025, DS",
    score=[
        reads("target_logits", "refs_logits", "refs_in", "refs_out"),
        reads("target_held_out_logits", "refs_held_out_logits", threshold="adaptive"),
        reads("held_out_labels", threshold="adaptive"),
    ],
    hardness="example",
)


def score(
    target_logits, refs_logits, refs_in, refs_out,
    target_held_out_logits=None, refs_held_out_logits=None, held_out_labels=None,
    *,
    threshold: Literal["fixed", "adaptive"] = "fixed",
    level: Annotated[float, between(0.0, 1.0)] = 0.2,
    coverage: Annotated[float, between(0.0, 1.0)] = 0.9,
    smoothing: Annotated[float, positive] = 4.0,
) -> np.ndarray:  # fmt: skip
    """Return log P_in(S) - log P_out(S) of the set S = {c : p_c ≥ τ}, (N,); higher = member.

    τ is the `level`, or, `adaptive`, each model's own: the one with which its sets would hold the
    true label for a share `coverage` of the held-out examples (`conformal`). P is the frequency of
    the set among the references, with as many observations as `smoothing` says added to either kind
    (`log_ratio`). Logits (N, C), of the references
    (R, N, C), or with queries before C, of which the first is used.

    `threshold`: one level for all models, or each model's own. `level`: the threshold, where it
    is `fixed`. `coverage`: the share of held-out examples whose true label a set must hold,
    where it is `adaptive`. `smoothing`: observations that are added to those of either kind.
    """
    own, refs = level, np.full(len(refs_logits), level)
    if threshold == "adaptive":
        own = conformal(target_held_out_logits, held_out_labels, coverage)
        refs = np.array([conformal(one, held_out_labels, coverage) for one in refs_held_out_logits])
    observed = decided(dirichlet.log_confidences(untouched(target_logits, "logits")), own)
    vectors = dirichlet.log_confidences(untouched(refs_logits, "logits", models=True))
    answers = decided(vectors, refs[:, None])
    return log_ratio(observed, answers, refs_in, refs_out, smoothing)


def conformal(logits: np.ndarray, labels: np.ndarray, coverage: float) -> float:
    """Return a model's threshold by its logits (H, C) or (H, Q, C) of held-out examples."""
    return threshold_of(dirichlet.log_confidences(untouched(logits, "logits")), labels, coverage)
