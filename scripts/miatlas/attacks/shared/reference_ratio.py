"""LR(x) = p(x | target) / p(x), p(x) a mean over references (Zarifzadeh et al. 2024): for `rmia`.

Not an attack itself. Signals are phi (N, Q), or logits (N, C) of the untouched example or (N, Q, C)
with labels (N,); of references with a leading axis R on all of them.
"""

import numpy as np
import scipy

from miatlas.attacks.shared import classifiers
from miatlas.attacks.shared.gaussian import among
from miatlas.attacks.shared.likelihoods import of_true_label
from miatlas.attacks.shared.stand_ins import means_of_others
from miatlas.signals.statistics import first_queries

LEAST = np.finfo(np.float64).tiny  # of p(x), so that 0 / 0 is 0
SLOPES = np.linspace(0, 1, 11)  # that `tuned` chooses from
TAUGHT = 5000  # answers about members, and about others, that it is told by


def reads_logits(options: dict) -> bool:
    """Say whether the confidences need logits; a softmax at temperature 1 is a function of phi."""
    return options["statistic"] != "softmax" or options["temperature"] != 1


def confidences(target, refs, labels, refs_in, refs_out, options) -> tuple:
    """Return p(x | target) and the mean of the references' p (N, Q), at the first `queries`.

    The mean is over OUT references alone, or with refs_in (p_in + p_out) / 2; at each end of
    either kind the share `trim` of them is left out.
    """
    p_target = of_queries(target, labels, options)
    masks = [mask for mask in (refs_in, refs_out) if mask is not None]
    p_refs = of_models(refs, labels, options)
    means = [trimmed_mean(among(p_refs, mask), options["trim"]) for mask in masks]
    return p_target, np.mean(means, axis=0)


def of_models(signals, labels, options) -> np.ndarray:
    """Return p_y (R, N, Q) of R models, one after the other: the CPU's cache has room for one."""
    return np.stack([of_queries(each, labels, options) for each in signals])


def of_queries(signals, labels, options) -> np.ndarray:
    """Return p_y of one model, (N, Q), at the first `queries` queries."""
    if not reads_logits(options):
        return of_true_label(first_queries(signals, options["queries"]), None, options)
    asked = signals if signals.ndim == 3 else signals[:, None]
    asked = np.moveaxis(first_queries(np.moveaxis(asked, 1, 2), options["queries"]), 2, 1)
    return of_true_label(asked, np.asarray(labels)[:, None], options)


def trimmed_mean(values: np.ndarray, share: float) -> np.ndarray:  # (k, ...) -> (...)
    """Return the mean without the `share` lowest and highest; at 0.5 the median."""
    cut = min(int(share * len(values)), (len(values) - 1) // 2)
    return np.sort(values, axis=0)[cut : len(values) - cut].mean(axis=0) if cut else values.mean(0)


def ratio(p_target: np.ndarray, p_refs: np.ndarray, a: float | None) -> np.ndarray:
    """Return LR, same shape: p(x) is p_refs, or offline the line ((1 + a) p_refs + (1 - a)) / 2."""
    p_x = p_refs if a is None else ((1 + a) * p_refs + (1 - a)) / 2
    return p_target / np.maximum(p_x, LEAST)


def majority(values: np.ndarray) -> np.ndarray:  # (N, Q) -> (N,)
    """Return what more than half of an example's queries reach: the lower of two medians."""
    if values.shape[1] == 1:
        return values[:, 0]
    return np.sort(values, axis=1)[:, (values.shape[1] - 1) // 2]


class Slope:
    """The slope a, tuned on the references: each in the target's place, its p against the others'.

    Taught by a sample of the answers about their members and their others, query 0 alone.
    """

    def __init__(self, options: dict):
        self.options = options | {"queries": 1}
        offline = options["mode"] == "offline"
        self.given = options["a"] if offline else None
        self.wanted = offline and options["tuned"]
        self.sample = classifiers.Sample(TAUGHT, np.asarray)

    def learn(self, piece) -> None:
        """Take in what the references answer about a slice of examples."""
        if not self.wanted:
            return
        refs = getattr(piece, "refs_logits" if reads_logits(self.options) else "refs_phi")
        labels = getattr(piece, "labels", None)
        p = of_models(refs, labels, self.options)[..., 0]
        rank = classifiers.ranks(piece.examples, p[..., None])
        means, known = means_of_others(p, piece.refs_out, rank)
        for kind, mask in (("in", piece.refs_in), ("out", piece.refs_out)):
            pairs = np.stack([p, means], axis=-1)[mask & known]
            self.sample.add(kind, pairs, rank[mask & known])

    def result(self) -> float | None:
        """Return a, None online. Raises ValueError if it is to be tuned on nothing."""
        if not self.wanted:
            return self.given
        members, others = self.sample.pair("in", "out")
        if not len(members):
            raise ValueError("tuned: a needs two OUT references and an IN one of an example")
        return float(SLOPES[np.argmax([told(members, others, a) for a in SLOPES])])


def told(members, others, a: float) -> int:
    """Return how well LR at this slope tells pairs (k, 2) of p and mean apart: the sum of ranks."""
    ratios = ratio(*np.concatenate([members, others]).T, a)
    return scipy.stats.rankdata(ratios)[: len(members)].sum()
