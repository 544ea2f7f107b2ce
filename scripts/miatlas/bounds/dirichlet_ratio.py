"""Dirichlet laws fitted to references, and the log-likelihood ratio of a vector under them.

Not an attack itself. Vectors are given by their logarithms, (N, C), of the references (R, N, C).
"""

import numpy as np

from miatlas.bounds.dirichlet import Summary, fit, shrunk, summarise, together
from miatlas.bounds.log_beta import log_beta


def log_ratio(observed, refs, refs_in, refs_out, prior: float) -> np.ndarray:
    """Return log Dir(p; α_in) - log Dir(p; α_out), (N,), α fitted to the references of the masks.

    `prior`: the pseudo-observations that say what IN and OUT references say together; they draw
    both fits towards one law, the more the fewer references there are. With no prior a single
    reference of a kind has no fit. Raises ValueError if that is asked for.
    """
    kinds = [summarise(refs, mask) for mask in (refs_in, refs_out)]
    if min(kind.count.min() for kind in kinds) + prior <= 1:
        raise ValueError("a Dirichlet law needs 2 references of a kind, or a prior")
    alpha_in, alpha_out = laws(*kinds, prior)
    ratio = ((alpha_in - alpha_out) * observed).sum(axis=-1)
    return ratio - log_beta(alpha_in) + log_beta(alpha_out)


def laws(inside: Summary, outside: Summary, prior: float) -> list[np.ndarray]:
    """Return the parameters (N, C) fitted to the IN and to the OUT vectors."""
    both = together(inside, outside)
    return [fit(shrunk(kind, both, prior)).alpha for kind in (inside, outside)]
