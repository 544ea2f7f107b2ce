"""White-box (carlini2022 App. A-B; Nasr et al. 2019): the gradient's norm, alone or in LiRA."""

from typing import Literal

import numpy as np

from miatlas.attacks.shared import lira
from miatlas.attacks.shared.gaussian import Pool, log_density

NORMS = {"l1": 0, "l2": 1, "linf": 2}  # their places in the probe `gradients`
LEAST = np.finfo(np.float32).tiny  # of a norm whose logarithm is taken


def score(
    target_gradients, refs_gradients=None, refs_in=None, refs_out=None, fitted=None,
    *,
    norm: Literal["l1", "l2", "linf"] = "l2",
    form: Literal["threshold", "lira"] = "threshold",
    variance: Literal["per_example", "global"] = "per_example",
) -> np.ndarray:  # fmt: skip
    """Return -log |∇loss|, or its likelihood ratio as in LiRA, online; (N,), higher = member.

    Training leaves its examples with small gradients. target_gradients (N, 3) has the norms in all
    parameters; LiRA's statistic is log |∇loss|, with Gaussians for every example's IN and OUT
    references: refs_gradients (R, N, 3), masks (R, N). The logarithm is our choice: the norms span
    decades, as the losses do.
    """
    observed = statistic(target_gradients, norm)
    if form == "threshold":
        return observed[:, 0]
    refs, options = statistic(refs_gradients, norm), {"variance": variance}
    options |= {"location": "mean", "preset": None}
    mu_in, s_in = lira.normal(refs, refs_in, "in", fitted, **options)
    mu_out, s_out = lira.normal(refs, refs_out, "out", fitted, **options)
    ratio = log_density(observed, mu_in, s_in) - log_density(observed, mu_out, s_out)
    return ratio[:, 0]


def statistic(gradients: np.ndarray, norm: str) -> np.ndarray:  # (..., 3) -> (..., 1)
    """Return -log |∇loss|, float64."""
    chosen = gradients[..., NORMS[norm], None].astype(np.float64)
    return -np.log(np.maximum(chosen, LEAST))


def fit(slices, *, norm, form, variance) -> dict | None:
    """Return the deviations pooled over all examples, where the options ask for them."""
    if form == "threshold" or variance == "per_example":
        return None
    pools = {"in": Pool(), "out": Pool()}
    for piece in slices:
        refs = statistic(piece.refs_gradients, norm)
        for kind, pool in pools.items():
            pool.add(refs, getattr(piece, f"refs_{kind}"))
    return {kind: pool.result() for kind, pool in pools.items()}


def needs(options: dict) -> set[str]:
    """Return the arguments of `score` that these options need: no references for a threshold."""
    if options["form"] == "threshold":
        return {"target_gradients"}
    return {"target_gradients", "refs_gradients", "refs_in", "refs_out", "fitted"}
