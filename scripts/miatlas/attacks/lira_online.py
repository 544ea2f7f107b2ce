"""LiRA, online (carlini2022, Algorithm 1): the likelihood ratio of two Gaussians per example."""

from typing import Annotated, Literal

import numpy as np

from miatlas.attacks.shared import lira
from miatlas.attacks.shared.gaussian import log_density
from miatlas.options import positive


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
    references of the same example (R, N); see `needs` for which of the signals are read. The preset
    brings its own location and deviation, and averages over queries (methods §3).
    """
    options = {"variance": variance, "location": location, "preset": preset}
    phi = lira.observed(statistic, queries, target_phi, target_logits, labels)
    refs = lira.observed(statistic, queries, refs_phi, refs_logits, labels, models=True)
    mu_in, s_in = lira.normal(refs, refs_in, "in", fitted, **options)
    mu_out, s_out = lira.normal(refs, refs_out, "out", fitted, **options)
    log_ratio = log_density(phi, mu_in, s_in) - log_density(phi, mu_out, s_out)
    return log_ratio.mean(axis=1) if preset else log_ratio.sum(axis=1)


def fit(slices, **options) -> dict | None:
    """Return the deviations pooled over all examples, where the options ask for them."""
    fitted = lira.fit(slices, ("in", "out"), **options)
    if options["preset"] and options["variance"] == "global":  # as published: s_out is s_in
        (_, s_in), (count_out, _) = fitted["in"], fitted["out"]
        fitted["out"] = (count_out, s_in)
    return fitted


def needs(options: dict) -> set[str]:
    """Return the arguments of `score` that these options need: phi, or logits for the hinge."""
    return {"refs_in", "refs_out", "fitted"} | lira.needs(options["statistic"])
