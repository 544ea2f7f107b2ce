"""LiRA on the decision set (zhu2025, DS): how often IN and OUT models answer the set observed."""

from typing import Annotated, Literal

import numpy as np

from miatlas import dirichlet
from miatlas.attacks.likelihoods import untouched
from miatlas.conformal import threshold as threshold_of
from miatlas.options import between, positive


def score(
    target_logits, refs_logits, refs_in, refs_out,
    target_held_out_logits=None, refs_held_out_logits=None, held_out_labels=None,
    *,
    threshold: Literal["fixed", "adaptive"] = "fixed",
    level: Annotated[float, between(0.0, 1.0)] = 0.2,
    coverage: Annotated[float, between(0.0, 1.0)] = 0.9,
    smoothing: Annotated[float, positive] = 1.0,
) -> np.ndarray:  # fmt: skip
    """Return log P_in(S) - log P_out(S) of the set S = {c : p_c ≥ τ}, (N,); higher = member.

    τ is the `level`, or, `adaptive`, each model's own: the one with which its sets would hold the
    true label for a share `coverage` of the held-out examples (`conformal`). P is the frequency of
    the set among the references, with `smoothing` observations added that follow the classes'
    own frequencies as if they were independent (`log_frequency`). Logits (N, C), of the references
    (R, N, C), or with queries before C, of which the first is used.
    """
    own, refs = level, np.full(len(refs_logits), level)
    if threshold == "adaptive":
        own = conformal(target_held_out_logits, held_out_labels, coverage)
        refs = np.array([conformal(one, held_out_labels, coverage) for one in refs_held_out_logits])
    observed = decided(dirichlet.log_confidences(untouched(target_logits, "logits")), own)
    vectors = dirichlet.log_confidences(untouched(refs_logits, "logits", models=True))
    answers = decided(vectors, refs[:, None])
    log_in, log_out = (log_frequency(observed, answers, m, smoothing) for m in (refs_in, refs_out))
    return log_in - log_out


def needs(options: dict) -> set[str]:
    """Return the arguments of `score` that these options need."""
    always = {"target_logits", "refs_logits", "refs_in", "refs_out"}
    held_out = {"target_held_out_logits", "refs_held_out_logits", "held_out_labels"}
    return always | held_out if options["threshold"] == "adaptive" else always


def decided(log_p: np.ndarray, threshold) -> np.ndarray:
    """Return which classes reach the threshold (...): bool, the shape of log_p (..., C)."""
    with np.errstate(divide="ignore"):
        return log_p >= np.log(threshold)[..., None]


def conformal(logits: np.ndarray, labels: np.ndarray, coverage: float) -> float:
    """Return a model's threshold by its logits (H, C) or (H, Q, C) of held-out examples."""
    return threshold_of(dirichlet.log_confidences(untouched(logits, "logits")), labels, coverage)


def log_frequency(observed, answers, mask, smoothing: float) -> np.ndarray:
    """Return log P(S) of sets (N, C) by the answers (R, N, C) of the references in the mask (R, N).

    P(S) = (#{answers that are S} + smoothing Π_c b_c) / (k + smoothing): b_c is how often the
    references decide on class c as S does, with half an observation added of either kind.
    """
    k = mask.sum(axis=0)
    equal = answers == observed
    each = (equal & mask[..., None]).sum(axis=0)  # (N, C)
    whole = (equal.all(axis=-1) & mask).sum(axis=0)
    independent = np.exp(np.log((each + 0.5) / (k[:, None] + 1.0)).sum(axis=-1))
    return np.log(whole + smoothing * independent) - np.log(k + smoothing)
