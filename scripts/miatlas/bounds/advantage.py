"""The advantage that likelihood-ratio tests achieve on each example, without bias.

The largest TPR - FPR over all thresholds is positive on noise: 0.14 on average with 32 IN and 32
OUT models. Here every model is judged once by laws fitted without it, at log-ratio 0, which nothing
is chosen for. A fold takes away as many IN as OUT models: on noise an IN and an OUT model that are
away are equally likely to be called a member, whatever the fits, so that the mean is exactly 0.
"""

import numpy as np
from scipy.special import ndtri

from miatlas.bounds.dirichlet import summarise
from miatlas.bounds.dirichlet_ratio import laws
from miatlas.bounds.log_beta import log_beta
from miatlas.bounds.set_frequencies import decided, log_ratio

PRIOR, SMOOTHING = 1.0, 4.0  # as in the attacks of the same disclosure
LEAST = 3  # models of a kind, to fit without one of them


def by_cross_validation(log_p, own, inside, outside, threshold, folds: int) -> dict:
    """Return {"cv" | "tlc" | "ds": {"achieved", "low", "high"}}, (n,) each, nan without models.

    log_p (M, n, C); own (M, n, 2), ln p_y and ln(1 - p_y); masks (M, n); the threshold of decision
    sets, or the models' own (M, 1). achieved: TPR - FPR at log-ratio 0, a ratio of exactly 1 being
    half a call; low, high: Newcombe's 95 % interval for independent calls; as calls share fits, it
    holds the truth about 90 times of 100.
    """
    in_order, out_order = order(inside), order(outside)
    k = np.minimum(inside.sum(axis=0), outside.sum(axis=0))
    k = np.where(k >= LEAST, k, 0)
    slots = int(k.max(initial=0))
    folds = min(folds, slots)
    sets = decided(log_p, threshold)
    calls = {name: np.zeros((2, len(k))) for name in ("cv", "tlc", "ds")}
    for fold in range(folds):
        away = range(fold, slots, folds)
        kept = [
            without(mask, ranks[away], np.arange(slots)[away, None] < k)
            for mask, ranks in ((inside, in_order), (outside, out_order))
        ]
        tests = {
            "cv": ratio_test(log_p, *kept), "tlc": ratio_test(own, *kept),
            "ds": set_test(sets, *kept),
        }  # fmt: skip
        for slot in away:
            for kind, ranks in enumerate((in_order, out_order)):
                for name, test in tests.items():
                    called = (np.sign(test(ranks[slot])) + 1.0) / 2.0
                    calls[name][kind] += np.where(slot < k, called, 0.0)
    return {name: _interval(*found, k) for name, found in calls.items()}


def order(mask: np.ndarray) -> np.ndarray:  # (M, n) -> (M, n)
    """Return the models of the mask first, in their order, then the others."""
    return np.argsort(~mask, axis=0, kind="stable")


def without(mask, models, valid):  # (M, n), (s, n), (s, n) -> (M, n)
    """Return the mask without these models of each example, where valid."""
    kept = mask.copy()
    np.put_along_axis(kept, models, np.take_along_axis(mask, models, axis=0) & ~valid, axis=0)
    return kept


def ratio_test(log_p, inside, outside):
    """Return a function: models (n,), one of each example, to their log-likelihood ratios (n,)."""
    alpha_in, alpha_out = laws(*(summarise(log_p, mask) for mask in (inside, outside)), PRIOR)
    offset = log_beta(alpha_in) - log_beta(alpha_out)
    columns = np.arange(log_p.shape[1])
    return lambda models: ((alpha_in - alpha_out) * log_p[models, columns]).sum(axis=-1) - offset


def set_test(sets, inside, outside):
    """Return the same of the decision sets (M, n, C)."""
    columns = np.arange(sets.shape[1])
    return lambda models: log_ratio(sets[models, columns], sets, inside, outside, SMOOTHING)


def _interval(hits, alarms, k, level: float = 0.95):
    with np.errstate(invalid="ignore", divide="ignore"):
        tpr, fpr = hits / k, alarms / k
        low_t, high_t = wilson(tpr, k, level)
        low_f, high_f = wilson(fpr, k, level)
        achieved = tpr - fpr
        low = achieved - np.hypot(tpr - low_t, high_f - fpr)
        high = achieved + np.hypot(high_t - tpr, fpr - low_f)
    return {"achieved": achieved, "low": low, "high": high}


def wilson(share, n, level):
    """Return Wilson's interval of a share of n; Newcombe (1998, method 10) subtracts two."""
    z = ndtri((1.0 + level) / 2.0)
    centre = (share + z**2 / (2.0 * n)) / (1.0 + z**2 / n)
    half = z / (1.0 + z**2 / n) * np.sqrt(share * (1.0 - share) / n + z**2 / (4.0 * n**2))
    return centre - half, centre + half
