"""Gradient norm (Nasr et al. 2019; carlini2022 App. A-B): white-box, alone or in LiRA."""

from typing import Literal

import numpy as np

from miatlas.attacks.shared import lira
from miatlas.attacks.shared.gaussian import Pool, log_density
from miatlas.audits.attack import Attack, reads

ATTACK = Attack(
    title="Gradient norm",
    authors="Nasr et al.",
    year=2019,
    source="carlini2022 App. A-B",
    score=[reads("target_gradients"), reads("refs_gradients", "refs_in", "refs_out", form="lira")],
    fit=[reads("refs_gradients", "refs_in", "refs_out")],
    fits=[{"form": "lira", "variance": "global"}],
    shares_pass=True,
    hardness="example",
)

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

    `norm`: which norm of the gradient. `form`: the norm alone, or its likelihood ratio as in
    LiRA. `variance`: the deviation of each example's own references, or `global`, one for each
    query, pooled over all examples.
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


def summarise(piece, *, norm, **_) -> dict[str, Pool]:
    """Return the deviations pooled over the examples of a slice, of IN and of OUT references."""
    refs = statistic(piece.refs_gradients, norm)
    return {"in": Pool.of(refs, piece.refs_in), "out": Pool.of(refs, piece.refs_out)}


def fit(summaries, **_) -> dict[str, np.ndarray]:
    """Return the deviations pooled over all examples."""
    return lira.fit(summaries, ("in", "out"))
