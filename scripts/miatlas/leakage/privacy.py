"""Differential privacy on an ROC curve: what it allows, and what a point of the curve rules out.

An (ε, δ)-private training algorithm gives every event nearly the same probability with the example
and without it. For "the attack says member" and for "it says non-member" that is (Kairouz, Oh and
Viswanath 2015, Theorem 2.1)

    TPR ≤ e^ε FPR + δ        and        1 - FPR ≤ e^ε (1 - TPR) + δ.
"""

import numpy as np
from scipy.special import betaincinv


def tpr_limit(fpr: np.ndarray, epsilon: float, delta: float = 0.0) -> np.ndarray:
    """Return the largest TPR at each FPR (...) that (ε, δ)-privacy leaves, at most 1.

    It is symmetric under swapping the two kinds of error. Raises ValueError unless ε ≥ 0 and
    0 ≤ δ ≤ 1.
    """
    if epsilon < 0 or not 0 <= delta <= 1:
        raise ValueError(f"epsilon {epsilon} must not be negative, delta {delta} lie in [0, 1]")
    fpr = np.asarray(fpr, np.float64)
    members = np.exp(np.minimum(epsilon, 700.0)) * fpr + delta
    others = 1.0 - np.exp(-epsilon) * (1.0 - delta - fpr)
    return np.minimum(np.minimum(members, others), 1.0)


def epsilon_at_least(
    true_positives, members, false_positives, nonmembers, delta: float = 0.0, level: float = 0.95
) -> np.ndarray:
    """Return the ε (...) that any (ε, δ) of the algorithm exceeds, with confidence `level`.

    Counts (...) of one threshold that was fixed beforehand, or chosen on other data: the largest of
    many thresholds' limits has not this confidence. The TPR is at least, and the FPR at most, its
    Clopper-Pearson limit, which fails with probability (1 - level) / 2 each; both inequalities
    above follow from these two. 0 where nothing is ruled out.
    """
    tail = (1.0 - level) / 2.0
    counts = (true_positives, members, false_positives, nonmembers)
    hits, members, alarms, nonmembers = (np.asarray(c, np.float64) for c in counts)
    with np.errstate(invalid="ignore"):
        tpr = np.where(hits > 0, betaincinv(hits, members - hits + 1.0, tail), 0.0)
        fpr = np.where(
            alarms < nonmembers, betaincinv(alarms + 1.0, nonmembers - alarms, 1.0 - tail), 1.0
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        by_members = np.log(np.maximum(tpr - delta, 0.0)) - np.log(fpr)
        by_others = np.log(np.maximum(1.0 - fpr - delta, 0.0)) - np.log(1.0 - tpr)
    return np.maximum(np.fmax(by_members, by_others), 0.0)
