"""LiRA, offline (Carlini et al. 2022, Eq. 4): a one-sided test against the OUT models alone."""

from typing import Annotated, Literal

import numpy as np
import scipy

from miatlas.attacks.shared import lira
from miatlas.attacks.shared.gaussian import log_density
from miatlas.audits.attack import Attack, reads
from miatlas.options import positive

ATTACK = Attack(
    title="LiRA, offline",
    authors="Carlini et al.",
    year=2022,
    source="carlini2022 §IV-C, Eq. 4",
    score=[reads("refs_out"), *lira.SCORE],
    fit=[reads("refs_out"), *lira.FIT],
    fits=lira.FITS,
    shares_pass=True,
    in_order=lira.IN_ORDER,
    hardness="example",
)


def score(
    refs_out, fitted=None,
    target_phi=None, refs_phi=None, target_logits=None, refs_logits=None, labels=None,
    *,
    queries: Annotated[int, positive] | None = None,
    variance: Literal["per_example", "global"] = "per_example",
    location: Literal["mean", "median"] = "mean",
    statistic: Literal["confidence", "loss", "logit_unstable", "logit", "hinge"] = "logit",
    preset: Literal["tf_privacy_2021"] | None = None,
) -> np.ndarray:  # fmt: skip
    """Return Σ_q log Pr[Z ≤ phi], Z ~ N(mu_out, s_out²), (N,); higher = member.

    phi is the statistic at query q of the target, turned so that members have more of it, and
    N(mu_out, s_out²) its law among the OUT references of the same example (R, N). Beyond 38
    deviations Pr is 1 in float64 and the scores tie at 0. The preset brings its own location
    and deviation and scores minus the two-sided log-density, averaged over queries (methods §3).

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
    mu_out, s_out = lira.normal(refs, refs_out, "out", fitted, **options)
    if preset:
        return -log_density(phi, mu_out, s_out).mean(axis=1)
    return scipy.special.log_ndtr((phi - mu_out) / s_out).sum(axis=1)


def summarise(piece, **options) -> dict:
    """Return what is pooled of one slice of the examples."""
    return lira.summarise(piece, ("out",), **options)


def fit(summaries, **_) -> dict:
    """Return the deviation pooled over all examples."""
    return lira.fit(summaries, ("out",))
