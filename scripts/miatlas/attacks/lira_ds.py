"""LiRA on the decision set (zhu2025, DS): how often IN and OUT models answer the set observed."""

from typing import Annotated, Literal

import numpy as np

from miatlas import dirichlet
from miatlas.attacks.likelihoods import untouched
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
    own, refs = np.asarray(level), np.full(len(refs_logits), level)
    if threshold == "adaptive":
        own = conformal(target_held_out_logits, held_out_labels, coverage)
        refs = np.array([conformal(one, held_out_labels, coverage) for one in refs_held_out_logits])
    observed = decided(untouched(target_logits, "logits"), own)
    answers = decided(untouched(refs_logits, "logits", models=True), refs[:, None])
    log_in, log_out = (log_frequency(observed, answers, m, smoothing) for m in (refs_in, refs_out))
    return log_in - log_out


def needs(options: dict) -> set[str]:
    """Return the arguments of `score` that these options need."""
    always = {"target_logits", "refs_logits", "refs_in", "refs_out"}
    held_out = {"target_held_out_logits", "refs_held_out_logits", "held_out_labels"}
    return always | held_out if options["threshold"] == "adaptive" else always


def decided(logits: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Return which classes reach the threshold (...): bool, the shape of logits (..., C)."""
    with np.errstate(divide="ignore"):
        return dirichlet.log_confidences(logits) >= np.log(threshold)[..., None]


def conformal(logits: np.ndarray, labels: np.ndarray, coverage: float) -> np.ndarray:
    """Return the threshold for sets that hold the true label with probability ≥ `coverage`.

    The k-th smallest p_y of H held-out examples, k = floor((H + 1)(1 - coverage)), 0 for k = 0
    (split conformal prediction). Logits (H, C), or (H, Q, C), of which query 0 is used.
    """
    log_p = dirichlet.log_confidences(untouched(logits, "logits"))
    p = np.sort(np.exp(log_p[np.arange(len(log_p)), labels]))
    k = int(np.floor((len(p) + 1) * (1.0 - coverage) + 1e-9))
    return p[k - 1] if k > 0 else np.asarray(0.0)


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
