"""The law of the decision set {c : p_c ≥ τ} of a Dirichlet vector p: exact, weighed or counted.

Exact: every set's probability, where they can be listed. Weighed: sets that are drawn, with their
exact probabilities under both laws: nothing is lost where nearly every draw is another set.
Counted: where those are not known either. There draws may be too few to tell: all is nan then.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, kl_div, logit

from miatlas.bounds import beta, orthants
from miatlas.bounds.log_beta import log_beta

FLOOR = 1e-9  # a set's probability is known to about this, and never counted as less
LISTED = 10  # classes at most, for all sets to be listed
LARGEST, CONCENTRATED = 9, 1e4  # classes in a set, α_0: beyond, probabilities are not computed
NEVER = 1e-6  # a class less likely to reach the threshold is taken never to do so
COARSE = 32  # nodes, where draws leave errors of a hundredth
CHUNK = 2_000_000  # complex numbers held at once, of each of a few arrays
FARTHEST = 700.0  # log-ratios are cut there, so that no law excludes what the other does not
ROUNDED = 1e-12  # a probability below it may be what rounding left of none: it adds under 1e-9
SMOOTH = ("kl_in_out", "kl_out_in", "affinity")
TOLD = 0.03  # a total variation is told where what is surely too small and too large are so close
ACCURATE, MOST = 0.005, 256  # the standard error wanted; times as many draws at most to get there


class Discrete(NamedTuple):
    """Divergences of two discrete laws, and the standard error of their total variation."""

    variation: np.ndarray
    error: np.ndarray
    kl_in_out: np.ndarray
    kl_out_in: np.ndarray
    affinity: np.ndarray

    @classmethod
    def of(cls, p: np.ndarray, q: np.ndarray) -> "Discrete":  # (..., K) twice -> (...)
        """Return the divergences of the laws p (IN) and q (OUT).

        As sums of terms that are at least 0. So they are also what drawn sets say on average: with
        the share w of the draws that a set S has, drawn from a law M, p = w P(S) / M(S), q alike.
        """
        variation = np.abs(p - q).sum(axis=-1) / 2.0
        affinity = 1.0 - ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=-1) / 2.0
        return cls(variation, np.zeros_like(variation), _kl(p, q), _kl(q, p), affinity)


def _kl(p, q):
    return np.where(p > ROUNDED, kl_div(p, q), q).sum(axis=-1)


UNTOLD = Discrete(*np.full(5, np.nan))


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
    classes = alpha_in.shape[-1]
    total = np.maximum(alpha_in.sum(axis=-1), alpha_out.sum(axis=-1))
    possible = classes <= LISTED or orthants.most(threshold) <= LARGEST
    return possible & (total <= CONCENTRATED)


def listed(alpha: np.ndarray, threshold: float) -> np.ndarray:  # (n, C) -> (n, K)
    """Return the probabilities of all decision sets, to about FLOOR, of up to LISTED classes."""
    largest = orthants.most(threshold, alpha.shape[-1])
    step = max(1, CHUNK // (orthants.NODES * len(orthants.subsets(alpha.shape[-1], largest))))
    parts = [
        orthants.laws(orthants.table(alpha[i : i + step], threshold), largest)
        for i in range(0, len(alpha), step)
    ]
    laws = np.maximum(np.concatenate(parts), FLOOR)
    return laws / laws.sum(axis=-1, keepdims=True)


def weighed(alpha_in, alpha_out, threshold, generator, draws) -> Discrete:
    """Return the divergences (scalars) of the laws of the decision set, by drawn sets. alpha (C,).

    Sets S are drawn from the even mixture of the laws P and Q and weighed by their exact
    probabilities, without bias. Classes that reach the threshold with a chance below NEVER under
    both laws are left out, as `error` includes.
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
    share = counts / counts.sum()
    found = Discrete.of(2.0 * share * p / (p + q), 2.0 * share * q / (p + q))
    spread = share @ (np.abs(p - q) / (p + q) - found.variation) ** 2
    left_out = np.delete(reached, kept).sum()
    return found._replace(error=np.sqrt(spread / counts.sum()) + left_out)


def _probabilities(laws, threshold, kept, inside):
    """Return the probabilities (D,) of sets of the classes kept, inside (D, k), under both laws."""
    known = orthants.table(laws, threshold, np.stack([kept, kept]), COARSE)
    tables = [orthants.Table(*(part[i : i + 1] for part in known)) for i in (0, 1)]
    largest = orthants.most(threshold, laws.shape[1])
    return [np.maximum(orthants.probabilities(one, inside, largest), FLOOR) for one in tables]


def _reached(alpha, threshold):
    """Return how likely each class (..., C) is to reach the threshold."""
    parameters = np.stack([alpha, alpha.sum(axis=-1, keepdims=True) - alpha], axis=-1)
    return 1.0 - beta.below(parameters, logit(threshold))


def counted(alpha_in, alpha_out, threshold, generator, draws, label=None) -> Discrete:
    """Return the divergences (scalars) of the laws of the decision set, by counting. alpha (C,).

    From `draws` of either law, or as many as a first look says are needed, up to MOST times as
    many. nan where these would not tell either: where there are too many sets. `label`: the laws
    of all wrong classes are equal, and sets that agree in that class and in how many others they
    hold are one.
    """
    found, largest = _counted(alpha_in, alpha_out, threshold, generator, draws, label)
    apart = ((largest - found.variation) / TOLD) ** 2
    more = max(apart, (found.error / ACCURATE) ** 2)
    if more > 1.0 and apart <= MOST:
        draws = int(draws * min(more, MOST))
        found, largest = _counted(alpha_in, alpha_out, threshold, generator, draws, label)
    return found if largest - found.variation <= TOLD else UNTOLD


def _counted(alpha_in, alpha_out, threshold, generator, draws, label):
    """Return the divergences, and a total variation that is on average too large.

    Of p from the even mixture of the densities f and g, the law P of its set is that of weights
    f/(f+g), Q that of g/(f+g): where f and g are close these say more than counts of either's. The
    total variation Σ_S |P - Q| / 2 takes each sign from one half of the draws and the value from
    the other: it is on average not too large, below 0 at times where there is nothing. The other
    divergences are less what the draws' laws are too far apart by chance, as far as that falls
    with their number (jackknife).
    """
    log_p = np.concatenate([log_draws(a, draws, generator) for a in (alpha_in, alpha_out)])
    ratio = log_p @ (alpha_in - alpha_out) - log_beta(alpha_in) + log_beta(alpha_out)
    weights = [expit(np.clip(r, -FARTHEST, FARTHEST)) for r in (ratio, -ratio)]
    _, which = np.unique(_keys(log_p >= np.log(threshold), label), return_inverse=True)
    half = np.arange(len(ratio)) % 2 == 0
    sums = [np.stack([np.bincount(which, w * mask) for mask in (half, ~half)]) for w in weights]
    p, q = (_shares(law.sum(axis=0)) for law in sums)
    whole, halves = Discrete.of(p, q), Discrete.of(*map(_shares, sums))
    gaps = _shares(sums[0]) - _shares(sums[1])
    value = (np.sign(gaps) * gaps[::-1]).sum() / 4.0
    sign = np.sign(p - q)
    each = [(sign[which] - sign @ law) * w for law, w in zip((p, q), weights, strict=True)]
    error = np.std(each[0] - each[1]) / np.sqrt(len(ratio))
    less = {name: 2.0 * getattr(whole, name) - getattr(halves, name).mean() for name in SMOOTH}
    less["affinity"] = min(less["affinity"], 1.0)
    return Discrete(value, error, **less), whole.variation


def _shares(sums):
    return sums / sums.sum(axis=-1, keepdims=True)


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
