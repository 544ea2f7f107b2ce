"""The law of the decision set {c : p_c ≥ τ} of a Dirichlet vector p: exact, weighed or sampled.

Exact: every set's probability, where there are not too many. Weighed: sets that are drawn, with
their exact probabilities under both laws: nothing is lost where nearly every draw is another set.
Sampled: where a set's probability is known by counting alone.
"""

from math import comb
from typing import NamedTuple

import numpy as np
from scipy.special import logit

from miatlas.bounds import beta, orthants
from miatlas.bounds.log_beta import log_beta

FLOOR = 1e-8  # a set's probability is known to about this, and never counted as less
LARGEST, CONCENTRATED = 9, 100.0  # classes in a set, α_0: beyond, probabilities are not computed
LISTED = 700  # sets at most to be listed
NEVER = 1e-6  # a class less likely to reach the threshold is taken never to do so
COARSE = 24  # nodes, where draws leave errors of a hundredth
CHUNK = 2_000_000  # complex numbers held at once, of each of a few arrays
ROUNDED = 1e-12  # a probability below it may be what rounding left of none: it adds under 1e-9


class Discrete(NamedTuple):
    """Divergences of two discrete laws, and the standard error of their total variation."""

    variation: np.ndarray
    error: np.ndarray
    kl_in_out: np.ndarray
    kl_out_in: np.ndarray
    affinity: np.ndarray

    @classmethod
    def of(cls, p: np.ndarray, q: np.ndarray) -> "Discrete":  # (..., K) twice -> (...)
        """Return the divergences of the laws p (IN) and q (OUT)."""
        variation = np.abs(p - q).sum(axis=-1) / 2.0
        affinity = np.minimum(np.sqrt(p * q).sum(axis=-1), 1.0)
        return cls(variation, np.zeros_like(variation), _kl(p, q), _kl(q, p), affinity)


def _kl(p, q):
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > ROUNDED, p * (np.log(p) - np.log(q)), 0.0)
    return np.maximum(terms.sum(axis=-1), 0.0)


def exact_laws(alpha: np.ndarray, threshold: float) -> np.ndarray:  # (n, C) -> (n, K)
    """Return the probabilities of all decision sets, for C = 2 or a threshold above ½.

    C = 2: only the first class, only the second, both or neither. Above ½: each class alone, none.
    """
    others = np.stack([np.delete(alpha, c, axis=-1).sum(axis=-1) for c in range(alpha.shape[-1])])
    reached = 1.0 - beta.below(np.stack([alpha, others.T], axis=-1), logit(threshold))  # (n, C)
    # Up to ½ of two classes at least one is reached, and the other alone where it is not.
    alone = reached if threshold > 0.5 else 1.0 - reached[:, ::-1]
    return np.concatenate([alone, np.maximum(1.0 - alone.sum(axis=-1, keepdims=True), 0.0)], axis=1)


def computed(alpha_in, alpha_out, threshold: float) -> np.ndarray:  # (n, C) twice -> (n,) bool
    """Return for which examples the probabilities of sets are computed, not counted."""
    largest = orthants.most(threshold)
    total = np.maximum(alpha_in.sum(axis=-1), alpha_out.sum(axis=-1))
    possible = largest <= LARGEST and 1.0 - largest * threshold > 1e-3
    return possible & (total <= CONCENTRATED)


def few(classes: int, threshold: float) -> bool:
    """Return whether all sets of so many classes can be listed."""
    return sum(comb(classes, k) for k in range(orthants.most(threshold) + 1)) <= LISTED


def listed(alpha: np.ndarray, threshold: float) -> np.ndarray:  # (n, C) -> (n, K)
    """Return the probabilities of all decision sets, to about FLOOR, where they are `few`."""
    largest = orthants.most(threshold)
    step = max(1, CHUNK // (orthants.NODES * LISTED))
    parts = [
        orthants.laws(orthants.table(alpha[i : i + step], threshold), largest)
        for i in range(0, len(alpha), step)
    ]
    laws = np.maximum(np.concatenate(parts), FLOOR)
    return laws / laws.sum(axis=-1, keepdims=True)


def weighed(alpha_in, alpha_out, threshold, generator, draws) -> Discrete:
    """Return the divergences (scalars) of the laws of the decision set, by drawn sets. alpha (C,).

    Sets S are drawn from the even mixture M of the laws P and Q; with their exact probabilities
    the total variation is the mean of |P - Q| / (P + Q), without bias; the other divergences are
    those of the laws that give a drawn set the weights P/M and Q/M, normalised. Classes that reach
    the threshold with a chance below NEVER under both laws are left out, as `error` includes.
    """
    laws = np.stack([alpha_in, alpha_out])
    reached = _reached(laws, threshold).max(axis=0)
    kept = np.argsort(-laws.max(axis=0), kind="stable")  # the largest first, as `orthants` wants
    kept = kept[reached[kept] > NEVER]
    others = np.delete(laws, kept, axis=1).sum(axis=1, keepdims=True)
    merged = np.concatenate([laws[:, kept], others], axis=1) if others.all() else laws[:, kept]
    log_p = np.concatenate([log_draws(alpha, draws, generator) for alpha in merged])
    inside = log_p[:, : len(kept)] >= np.log(threshold)
    _, first, counts = np.unique(_keys(inside, None), return_index=True, return_counts=True)
    p, q = _probabilities(laws, threshold, kept, inside[first])
    weights = [counts * law / (p + q) for law in (p, q)]
    found = Discrete.of(*(weight / weight.sum() for weight in weights))
    each, share = np.abs(p - q) / (p + q), counts / counts.sum()
    mean = share @ each
    error = np.sqrt(share @ (each - mean) ** 2 / counts.sum()) + np.delete(reached, kept).sum()
    return _consistent(found._replace(variation=mean, error=error))


def _probabilities(laws, threshold, kept, inside):
    """Return the probabilities (D,) of sets of the classes kept, inside (D, k), under both laws."""
    known = orthants.table(laws, threshold, np.stack([kept, kept]), COARSE)
    tables = [orthants.Table(*(part[i : i + 1] for part in known)) for i in (0, 1)]
    largest = orthants.most(threshold)
    return [np.maximum(orthants.probabilities(one, inside, largest), FLOOR) for one in tables]


def _reached(alpha, threshold):
    """Return how likely each class (..., C) is to reach the threshold."""
    parameters = np.stack([alpha, alpha.sum(axis=-1, keepdims=True) - alpha], axis=-1)
    return 1.0 - beta.below(parameters, logit(threshold))


def sampled(alpha_in, alpha_out, threshold, generator, draws, label=None) -> Discrete:
    """Return the divergences (scalars) of the laws of the decision set, from draws of either law.

    alpha (C,). With p drawn from the even mixture and v = tanh(L/2) of its log density ratio L, the
    laws of a set S are E[(1 ± v) 1_S]: v is small where the laws are close, and so is the error.
    The total variation Σ_S |E[v 1_S]| takes each sign from one half of the draws and the value from
    the other: on average it is not too large, and somewhat too small where there are many sets and
    few draws. The other divergences are those of the laws that the draws make, less what these are
    too far apart by chance (`_jackknifed`). `label`: the laws of all wrong classes are equal, and
    sets that agree in that class and in how many others they hold are one.
    """
    log_p = np.concatenate([log_draws(a, draws, generator) for a in (alpha_in, alpha_out)])
    ratio = log_p @ (alpha_in - alpha_out) - log_beta(alpha_in) + log_beta(alpha_out)
    v = np.tanh(ratio / 2.0)
    inside = log_p >= np.log(threshold)
    _, which = np.unique(_keys(inside, label), return_inverse=True)
    half = np.arange(len(v)) % 2 == 0
    sums = [np.bincount(which, weights=v * mask) for mask in (half, ~half)]
    counts = [np.bincount(which, weights=mask) for mask in (half, ~half)]
    halves = [_laws(*one) for one in zip(counts, sums, strict=True)]
    laws = _jackknifed(_laws(sum(counts), sum(sums)), halves)
    crossed = sum(np.sign(one) @ other for one, other in (sums, sums[::-1])) / len(v)
    value = float(np.clip(crossed, 0.0, 1.0))
    error = np.sqrt(max((v**2).mean() - value**2, 0.0) / len(v))
    return _consistent(laws._replace(variation=value, error=error))


def _laws(counts, sums):
    p, q = counts + sums, counts - sums
    return Discrete.of(p / p.sum(), q / q.sum())


def _jackknifed(whole, halves):
    """Return 2 f(all draws) - mean of f(half of them): a bias in 1/draws is gone."""

    def corrected(name):
        parts = [getattr(one, name) for one in (whole, *halves)]
        return 2.0 * parts[0] - np.mean(parts[1:]) if np.isfinite(parts).all() else parts[0]

    return whole._replace(**{n: corrected(n) for n in ("kl_in_out", "kl_out_in", "affinity")})


def _consistent(law):
    """Return estimates that obey what holds of any two laws: BC² ≤ 1 - V², KL ≥ 2 V² and -2 ln BC.

    The total variation V is the surest of them. Where the laws are far apart few draws say little
    of a KL divergence, and less its bias it could be of either sign.
    """
    affinity = float(np.clip(law.affinity, 0.0, np.sqrt(1.0 - law.variation**2)))
    least = max(2.0 * law.variation**2, -2.0 * np.log(affinity) if affinity else np.inf)
    kl = {name: max(getattr(law, name), least) for name in ("kl_in_out", "kl_out_in")}
    return law._replace(affinity=affinity, **kl)


def log_draws(alpha: np.ndarray, draws: int, generator) -> np.ndarray:  # (C,) -> (draws, C)
    """Return ln p of draws from Dir(α): finite however small the parameters are.

    ln G of a Gamma(α) draw is ln of a Gamma(α + 1) draw + ln(U) / α.
    """
    shape = (draws, len(alpha))
    log_g = np.log(generator.standard_gamma(alpha + 1.0, shape))
    log_g -= generator.standard_exponential(shape) / alpha
    log_g -= log_g.max(axis=-1, keepdims=True)
    return log_g - np.log(np.exp(log_g).sum(axis=-1, keepdims=True))


def _keys(inside, label):
    """Return a number for each set (draws, C) bool: equal for equal sets."""
    if label is not None:
        return inside[:, label] * (inside.shape[1] + 1) + inside.sum(axis=1)
    weights = np.random.default_rng(0).integers(2**63, size=inside.shape[1], dtype=np.uint64)
    return np.where(inside, weights, np.uint64(0)).sum(axis=1, dtype=np.uint64)  # modulo 2**64
