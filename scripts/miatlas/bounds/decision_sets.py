"""The law of the decision set {c : p_c ≥ τ} of a Dirichlet vector p: exact or sampled."""

from typing import NamedTuple

import numpy as np
from scipy.special import logit

from miatlas.bounds import beta
from miatlas.bounds.gammas import log_beta

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
    return laws._replace(variation=value, error=error)


def _laws(counts, sums):
    p, q = counts + sums, counts - sums
    return Discrete.of(p / p.sum(), q / q.sum())


def _jackknifed(whole, halves):
    """Return 2 f(all draws) - mean of f(half of them), f at least 0: a bias in 1/draws is gone."""
    kl = []
    for name in ("kl_in_out", "kl_out_in"):
        parts = [getattr(one, name) for one in (whole, *halves)]
        finite = np.isfinite(parts).all()
        kl.append(max(2.0 * parts[0] - np.mean(parts[1:]), 0.0) if finite else parts[0])
    affinity = 2.0 * whole.affinity - np.mean([one.affinity for one in halves])
    return whole._replace(
        kl_in_out=kl[0], kl_out_in=kl[1], affinity=float(np.clip(affinity, 0.0, 1.0))
    )


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
