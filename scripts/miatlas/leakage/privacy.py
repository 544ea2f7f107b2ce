"""Differential privacy on an ROC curve: what it allows, and what attacks rule out.

An (ε, δ)-private training algorithm gives every event nearly the same probability with the example
and without it. For "the attack says member" and for "it says non-member" that is (Kairouz, Oh and
Viswanath 2015, Theorem 2.1)

    TPR ≤ e^ε FPR + δ        and        1 - FPR ≤ e^ε (1 - TPR) + δ.
"""

import numpy as np
from scipy.special import bdtrc, betaincinv, expit, log_ndtr, ndtr, ndtri

from miatlas.leakage.intervals import bisected

SIDES = ("members", "others")


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
    counts = (true_positives, members, false_positives, nonmembers)
    return np.maximum(*(epsilon_by(side, *counts, delta, level) for side in SIDES))


def epsilon_by(
    side: str, true_positives, members, false_positives, nonmembers, delta=0.0, level=0.95
) -> np.ndarray:
    """Return the ε (...) that one of the two inequalities rules out, counts as `epsilon_at_least`.

    `side` "members": TPR ≤ e^ε FPR + δ. "others": the same of those who are called non-members.
    """
    tpr, fpr = rate_limits(true_positives, members, false_positives, nonmembers, level)
    rate, error = (tpr, fpr) if side == "members" else (1.0 - fpr, 1.0 - tpr)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.fmax(np.log(np.maximum(rate - delta, 0.0)) - np.log(error), 0.0)


def rate_limits(true_positives, members, false_positives, nonmembers, level):
    """Return what the TPR is at least, and the FPR at most, each by Clopper and Pearson (...).

    Either fails with probability (1 - level) / 2.
    """
    tail = (1.0 - level) / 2.0
    counts = (true_positives, members, false_positives, nonmembers)
    hits, members, alarms, nonmembers = (np.asarray(c, np.float64) for c in counts)
    with np.errstate(invalid="ignore"):
        tpr = np.where(hits > 0, betaincinv(hits, members - hits + 1.0, tail), 0.0)
        fpr = np.where(
            alarms < nonmembers, betaincinv(alarms + 1.0, nonmembers - alarms, 1.0 - tail), 1.0
        )
    return tpr, fpr


def mu_at_least(true_positives, members, false_positives, nonmembers, level: float = 0.95):
    """Return the μ (...) that the Gaussian DP of the algorithm exceeds, with confidence `level`.

    μ-Gaussian privacy (Dong, Roth and Su 2022) leaves TPR ≤ Φ(Φ⁻¹(FPR) + μ): a point of the curve
    tells μ = Φ⁻¹(TPR) - Φ⁻¹(FPR). Counts and limits as in `epsilon_at_least`; 0 if nothing is told.
    """
    tpr, fpr = rate_limits(true_positives, members, false_positives, nonmembers, level)
    return np.maximum(np.where((tpr > 0.0) & (fpr < 1.0), ndtri(tpr) - ndtri(fpr), 0.0), 0.0)


def epsilon_of_mu(mu: float, delta: float) -> float:
    """Return the least ε with which μ-Gaussian privacy is (ε, δ)-private; inf if δ is 0.

    δ(ε) = Φ(μ/2 - ε/μ) - e^ε Φ(-μ/2 - ε/μ) (Dong, Roth and Su 2022, Corollary 1), by bisection.
    """
    if mu == 0.0 or delta_of_mu(mu, 0.0) <= delta:
        return 0.0
    if delta == 0.0:
        return float("inf")
    low, high = 0.0, 1.0
    while delta_of_mu(mu, high) > delta:
        low, high = high, 2.0 * high
    return bisected(lambda epsilon: delta_of_mu(mu, epsilon) > delta, low, high)


def delta_of_mu(mu: float, epsilon: float) -> float:
    """Return the δ of μ-Gaussian privacy at an ε."""
    first, second = mu / 2.0 - epsilon / mu, -mu / 2.0 - epsilon / mu
    return float(ndtr(first) - np.exp(epsilon + log_ndtr(second)))


def one_run_chance(
    examples: int, guesses: int, right: int, epsilon: float, delta: float = 0.0
) -> float:
    """Return the largest chance that (ε, δ)-privacy leaves to so many right guesses in one run.

    Each of m `examples` was in the training set by a fair coin of its own; k of them are guessed, v
    rightly. P[Bin(k, e^ε / (1 + e^ε)) ≥ v] + 2 m δ α, where α is the largest rate at which the tail
    grows, max over i of P[v > Bin ≥ v - i] / i (Steinke, Nasr and Jagielski 2023, Theorem 5.2).
    Guesses may follow from everything that the model says about all examples.
    """
    if not 0 <= right <= guesses <= examples:
        raise ValueError(f"{right} of {guesses} guesses about {examples} examples cannot be right")
    share = expit(epsilon)
    tail = float(bdtrc(right - 1, guesses, share)) if right else 1.0
    if not delta or not right:
        return tail
    # Where the tail has grown to almost 1 it can grow no more: further i only divide it.
    reach = right - guesses * share + 12.0 * np.sqrt(guesses * share * (1.0 - share)) + 2.0
    i = np.arange(1, int(np.clip(reach, 1, right)) + 1)
    grown = np.where(i < right, bdtrc(np.maximum(right - i - 1, 0), guesses, share), 1.0) - tail
    return min(tail + 2.0 * examples * delta * float((grown / i).max()), 1.0)


def epsilon_of_one_run(
    examples: int, guesses: int, right: int, delta: float = 0.0, level: float = 0.95
) -> float:
    """Return the ε that any (ε, δ) of the algorithm exceeds, with confidence `level`, by one run.

    How many are guessed is fixed beforehand. 0 where nothing is ruled out.
    """
    refuted = lambda e: one_run_chance(examples, guesses, right, e, delta) <= 1.0 - level  # noqa: E731
    if not guesses or not refuted(0.0):
        return 0.0
    high = 1.0
    while refuted(high):
        high *= 2.0
    return bisected(refuted, 0.0, high)
