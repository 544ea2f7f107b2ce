"""What is disclosed of a confidence vector, and the limit that it sets (zhu2025, Propositions 1-3).

CV: the vector p itself, a Dirichlet law. TLC: p_y of the true label, a Beta law. DS: the decision
set {c : p_c ≥ τ}, a law on subsets of the classes; of it, the bit of the true label alone. Laws are
given as Dirichlet parameters of IN and of OUT models, (n, C); results are (n,) each.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import logit

from miatlas.bounds import beta, divergences, limits
from miatlas.bounds import total_variation as variation
from miatlas.bounds.decision_sets import (
    LISTED,
    Discrete,
    computed,
    counted,
    exact_laws,
    listed,
    weighed,
)

ACCURATE = 1e-6  # of what follows from listed sets


class Limit(NamedTuple):
    """What no attack on one observation can exceed, (n,) each.

    advantage: the largest of all tests', the total variation of the two laws, with its error (of
    the quadrature; the standard error where it was sampled, when it may be below 0). divergences:
    what the bounds follow from; bound: the tightest of them, and its place in `limits.NAMES`. All
    are nan where they are not estimated.
    """

    advantage: np.ndarray
    error: np.ndarray
    divergences: limits.Divergences
    bound: np.ndarray
    name: np.ndarray


def confidence_vector(alpha_in, alpha_out, enough: float = variation.EXACT) -> Limit:
    """Return the limit under CV; `enough` is the error that the quadrature may have."""
    advantage, error = variation.dirichlet(alpha_in, alpha_out, enough)
    return _limit(advantage, error, _divergences(alpha_in, alpha_out))


def true_label_confidence(alpha_in, alpha_out, labels) -> Limit:
    """Return the limit under TLC; the advantage is exact to about 1e-10."""
    a, b = (divergences.beta_of(alpha, labels) for alpha in (alpha_in, alpha_out))
    advantage = beta.total_variation(a, b)
    return _limit(advantage, np.zeros_like(advantage), _divergences(a, b))


def true_label_bit(alpha_in, alpha_out, labels, threshold: float) -> Limit:
    """Return the limit where only "p_y ≥ threshold" is told: the laws are Bernoulli's."""
    outside = [
        beta.below(divergences.beta_of(alpha, labels), logit(threshold))
        for alpha in (alpha_in, alpha_out)
    ]
    p, q = (np.stack([1.0 - low, low], axis=-1) for low in outside)
    return _of_discrete(Discrete.of(p, q))


def decision_set(alpha_in, alpha_out, threshold, generators, draws=1024, label=None) -> Limit:
    """Return the limit under DS, the whole set.

    Exact with two classes, with a threshold above ½, which no two classes reach, and where all
    sets can be listed: of up to `decision_sets.LISTED` classes. Else from `draws` vectors of either
    law for each example, drawn by its own of the n generators: weighed by the exact probabilities
    of their sets, or counted where these are not known (`decision_sets.computed`), from more draws
    where they are needed, and nan where they do not tell. `label` as in `decision_sets.counted`.
    """
    if alpha_in.shape[-1] == 2 or threshold > 0.5:
        return _of_discrete(Discrete.of(*(exact_laws(a, threshold) for a in (alpha_in, alpha_out))))
    known, draw = computed(alpha_in, alpha_out, threshold), list(generators or ())
    result = np.empty((len(alpha_in), 5))
    exact = known & (alpha_in.shape[-1] <= LISTED)
    if exact.any():
        laws = (listed(a[exact], threshold) for a in (alpha_in, alpha_out))
        result[exact] = np.stack(
            Discrete.of(*laws)._replace(error=np.full(exact.sum(), ACCURATE)), axis=-1
        )
    for i in np.flatnonzero(known & ~exact):
        result[i] = weighed(alpha_in[i], alpha_out[i], threshold, draw[i], draws)
    for i in np.flatnonzero(~known):
        result[i] = counted(alpha_in[i], alpha_out[i], threshold, draw[i], draws, label)
    return _of_discrete(Discrete(*result.T))


def _divergences(a, b):
    affinity = np.exp(divergences.log_affinity(a, b))
    return limits.Divergences(divergences.kl(a, b), divergences.kl(b, a), affinity)


def _of_discrete(law):
    found = limits.Divergences(law.kl_in_out, law.kl_out_in, law.affinity)
    return _limit(law.variation, law.error, found)


def _limit(advantage, error, found):
    return Limit(advantage, error, found, *limits.tightest(found))
