"""LiRA, CV (Zhu et al. 2025): the ratio of two Dirichlet laws of the confidence vector."""

from typing import Annotated

import numpy as np

from miatlas.attacks.shared.likelihoods import untouched
from miatlas.audits.attack import Attack, reads
from miatlas.bounds import dirichlet, dirichlet_ratio
from miatlas.options import nonnegative

ATTACK = Attack(
    title="LiRA, CV",
    authors="Zhu et al.",
    year=2025,
    source="zhu2025, CV",
    score=[reads("target_logits", "refs_logits", "refs_in", "refs_out")],
    hardness="example",
)


def score(
    target_logits, refs_logits, refs_in, refs_out, *, prior: Annotated[float, nonnegative] = 1.0
) -> np.ndarray:  # fmt: skip
    """Return log Dir(p; α_in) - log Dir(p; α_out), (N,); higher = member.

    α are fitted by maximum likelihood to the vectors of the IN and the OUT references, with `prior`
    pseudo-observations as in `dirichlet_ratio`. Logits (N, C), of the references (R, N, C), or with
    queries before C, of which the first is used.

    `prior`: pseudo-observations of what IN and OUT references say together, which draw both
    fits towards one law.
    """
    observed = dirichlet.log_confidences(untouched(target_logits, "logits"))
    refs = dirichlet.log_confidences(untouched(refs_logits, "logits", models=True))
    return dirichlet_ratio.log_ratio(observed, refs, refs_in, refs_out, prior)
