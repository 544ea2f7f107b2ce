"""Moderated LiRA (Brännvall 2026; Smyth 2004): variances lean on those of all other examples."""

from functools import reduce
from operator import add
from typing import Annotated, Literal

import numpy as np

from miatlas.attacks.shared import lira
from miatlas.attacks.shared.gaussian import FLOOR, among, log_density
from miatlas.attacks.shared.moderation import LogVariances, log_student, moderated
from miatlas.audits.attack import Attack, reads
from miatlas.options import nonnegative, positive

ATTACK = Attack(
    title="Moderated LiRA",
    authors="Brännvall",
    year=2026,
    source="after brannvall2026 (BaVarIA), in our words; smyth2004 §6",
    score=[reads("refs_in", "refs_out"), *lira.SCORE],
    fit=[reads("refs_in", "refs_out"), *lira.FIT],
    shares_pass=True,
    hardness="example",
)


def score(
    refs_in, refs_out, fitted,
    target_phi=None, refs_phi=None, target_logits=None, refs_logits=None, labels=None,
    *,
    queries: Annotated[int, positive] | None = None,
    law: Literal["student", "normal"] = "student",
    prior_freedom: Annotated[float, nonnegative] | Literal["infinite"] | None = None,
    statistic: Literal["confidence", "loss", "logit_unstable", "logit", "hinge"] = "logit",
) -> np.ndarray:  # fmt: skip
    """Return Σ_q log f(phi; IN) - log f(phi; OUT), of shrunk variances, (N,); higher = member.

    An example's variance among its k references of a kind, d = k - 1, is not known well where k is
    small. It is replaced by s² = (d0 s0² + d s²) / (d0 + d): what all examples' variances say of
    such variances counts like d0 further degrees of freedom. d0 and s0² are fitted to them for each
    query and kind (empirical Bayes, Smyth 2004 §6.2); where they do not differ by more than chance
    d0 is infinite. f is Student's t of d0 + d degrees of freedom around the example's mean, of
    scale s √(1 + 1/k): what remains unknown of mean and variance is in it. How BaVarIA chooses its
    prior is not at hand: this choice is ours. It is not always ahead of the better variance: with
    all 63 references of the demo its AUC is 0.613 on the MLPs, where a global variance has 0.615,
    and 0.619 on the CNNs, where that has 0.613 and one per example 0.617; all of it within their
    intervals.

    `queries`: how many queries, from the first on, are summed over (default: all there are).
    `law`: Student's t, or a `normal` of deviation s, as in LiRA. `prior_freedom`: d0, in place
    of the fitted one: 0 is a variance per example, `infinite` a global one. `statistic`: what of
    an answer is taken for normal, as in LiRA.
    """
    phi = lira.observed(statistic, queries, target_phi, target_logits, labels)
    refs = lira.observed(statistic, queries, refs_phi, refs_logits, labels, models=True)
    sides = (("in", refs_in), ("out", refs_out))
    log_in, log_out = (log_law(phi, among(refs, m), *fitted[kind], law) for kind, m in sides)
    return (log_in - log_out).sum(axis=1)


def log_law(phi, values, d0, prior, law) -> np.ndarray:  # (N, Q), (k, N, Q) -> (N, Q)
    """Return the log-density of phi under the references' values of one kind."""
    k, mu = len(values), values.mean(axis=0)
    s = np.maximum(np.sqrt(moderated(values.var(axis=0, ddof=1), k - 1, d0, prior)), FLOOR)
    if law == "normal":
        return log_density(phi, mu, s)
    return log_student(phi, mu, s * np.sqrt(1 + 1 / k), d0 + k - 1)


def summarise(piece, *, queries, statistic, **_) -> dict[str, LogVariances]:
    """Return what is kept of a slice's variances, by kind."""
    signals = (getattr(piece, name, None) for name in ("refs_phi", "refs_logits", "labels"))
    refs = lira.observed(statistic, queries, *signals, models=True)
    return {
        kind: LogVariances.of(among(refs, getattr(piece, f"refs_{kind}"))) for kind in ("in", "out")
    }


def fit(summaries, *, prior_freedom, **_) -> dict[str, tuple]:
    """Return d0 and s0², (Q,) each, of either kind."""
    summaries = list(summaries)
    d0 = np.inf if prior_freedom == "infinite" else prior_freedom
    return {kind: reduce(add, (one[kind] for one in summaries)).prior(d0) for kind in ("in", "out")}
