"""LiRA, online (Carlini et al. 2022, Algorithm 1): the ratio of two Gaussians per example."""

from typing import Annotated, Literal

import numpy as np

from miatlas.attacks.shared import lira
from miatlas.attacks.shared.gaussian import log_density
from miatlas.audits.attack import Attack, reads
from miatlas.options import positive

ATTACK = Attack(
    title="LiRA, online",
    authors="Carlini et al.",
    year=2022,
    source="carlini2022 Algorithm 1",
    score=[reads("refs_in", "refs_out"), *lira.SCORE],
    fit=[reads("refs_in", "refs_out"), *lira.FIT],
    fits=lira.FITS,
    shares_pass=True,
    in_order=lira.IN_ORDER,
    hardness="example",
)


def score(
    refs_in, refs_out, fitted=None,
    target_phi=None, refs_phi=None, target_logits=None, refs_logits=None, labels=None,
    *,
    queries: Annotated[int, positive] | None = None,
    variance: Literal["per_example", "global"] = "per_example",
    location: Literal["mean", "median"] = "mean",
    statistic: Literal["confidence", "loss", "logit_unstable", "logit", "hinge"] = "logit",
    preset: Literal["tf_privacy_2021"] | None = None,
) -> np.ndarray:  # fmt: skip
    """Return Σ_q log N(phi; mu_in, s_in²) - log N(phi; mu_out, s_out²), (N,); higher = member.

    phi is the statistic at query q of the target, N(mu, s²) its law among the IN and the OUT
    references of the same example (R, N); ATTACK says which of the signals are read. The preset
    brings its own location and deviation, and averages over queries (methods §3).

    `queries`: how many queries, from the first on, are summed over (default: all there are).
    `variance`: the deviation of each example's own references, or `global`, one for each query,
    pooled over all examples. `location`: the mean or the median of an example's references
    stands for mu. `statistic`: what of an answer is taken for normal: the `logit` phi, its
    unstable form, the confidence, the loss, or the `hinge` of the logits. `preset`: as the
    public script of 2021 does from end to end: the first references of each example in the models'
    order, its location and deviation in place of those chosen here, its TPR below the level.
    """
    options = {"variance": variance, "location": location, "preset": preset}
    phi = lira.observed(statistic, queries, target_phi, target_logits, labels)
    refs = lira.observed(statistic, queries, refs_phi, refs_logits, labels, models=True)
    mu_in, s_in = lira.normal(refs, refs_in, "in", fitted, **options)
    mu_out, s_out = lira.normal(refs, refs_out, "out", fitted, **options)
    log_ratio = log_density(phi, mu_in, s_in) - log_density(phi, mu_out, s_out)
    return log_ratio.mean(axis=1) if preset else log_ratio.sum(axis=1)


def summarise(piece, **options) -> dict:
    """Return what is pooled of one slice of the examples."""
    return lira.summarise(piece, ("in", "out"), **options)


def fit(summaries, *, variance, preset, **_) -> dict:
    """Return the deviations pooled over all examples."""
    fitted = lira.fit(summaries, ("in", "out"))
    if preset and variance == "global":  # as published: s_out is s_in
        (_, s_in), (count_out, _) = fitted["in"], fitted["out"]
        fitted["out"] = (count_out, s_in)
    return fitted
