"""LiRA on the whole confidence vector (zhu2025, CV): the likelihood ratio of two Dirichlet laws."""

from typing import Annotated

import numpy as np

from miatlas.attacks.shared.likelihoods import untouched
from miatlas.bounds import dirichlet, dirichlet_ratio
from miatlas.options import nonnegative


def score(
    target_logits, refs_logits, refs_in, refs_out, *, prior: Annotated[float, nonnegative] = 1.0
) -> np.ndarray:  # fmt: skip
    """Return log Dir(p; α_in) - log Dir(p; α_out), (N,); higher = member.

    α are fitted by maximum likelihood to the vectors of the IN and the OUT references, with `prior`
    pseudo-observations as in `dirichlet_ratio`. Logits (N, C), of the references (R, N, C), or with
    queries before C, of which the first is used.
    """
    observed = dirichlet.log_confidences(untouched(target_logits, "logits"))
    refs = dirichlet.log_confidences(untouched(refs_logits, "logits", models=True))
    return dirichlet_ratio.log_ratio(observed, refs, refs_in, refs_out, prior)
