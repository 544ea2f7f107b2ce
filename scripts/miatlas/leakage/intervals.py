"""Confidence intervals for the metrics, two-sided, 95 % unless asked otherwise."""

import numpy as np
from scipy.special import betaincinv, expit, logit, ndtri, stdtrit

FEW_OF_A_KIND = 200  # members or non-members, below which DeLong's interval is not trusted alone


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a proportion (Clopper and Pearson 1934); trials ≥ 1."""
    tail = (1.0 - level) / 2.0
    low = betaincinv(successes, trials - successes + 1, tail) if successes else 0.0
    high = betaincinv(successes + 1, trials - successes, 1.0 - tail) if successes < trials else 1.0
    return float(low), float(high)


def difference(
    first: float, of_first: tuple[float, float], second: float, of_second: tuple[float, float]
) -> tuple[float, float]:
    """Return the interval of first - second from the intervals of two independent estimates.

    Reaches add up in squares, each on its own side (Newcombe 1998, method 10; Zou and Donner 2008).
    """
    low = np.hypot(first - of_first[0], of_second[1] - second)
    high = np.hypot(of_first[1] - first, second - of_second[0])
    return float(first - second - low), float(first - second + high)


def ratio(
    first: float, of_first: tuple[float, float], second: float, of_second: tuple[float, float]
) -> tuple[float, float]:
    """Return the interval of first / second ≥ 0 from the intervals of two independent estimates.

    MOVER-R (Donner and Zou 2012): the values r where `difference` of first and r second touches 0.
    Without anything counted in `first` it begins at 0; it has no end where `second` may be 0.
    """
    both = first * second
    low, high = (side * (2.0 * first - side) for side in of_first)
    least, most = (side * (2.0 * second - side) for side in of_second)
    below = both + float(np.sqrt(max(both**2 - low * most, 0.0)))
    above = both + float(np.sqrt(max(both**2 - high * least, 0.0)))
    return (low / below if below else 0.0), (above / least if least else float("inf"))


def student(deviation: float, count: int, level: float = 0.95) -> float:
    """Return the reach of Student's interval of a mean of `count` ≥ 2 values."""
    return float(stdtrit(count - 1, (1.0 + level) / 2.0)) * deviation / float(np.sqrt(count))


def of_auc(true_positives: np.ndarray, false_positives: np.ndarray) -> tuple[float, float]:
    """Return the interval of the AUC of one ROC curve: DeLong's, counts (K,) as there.

    With fewer than FEW_OF_A_KIND members or non-members, DeLong's covers as little as 84 % near 1:
    few examples seldom show the variance that there is. There it is the wider of DeLong's and
    Newcombe's, whose variance follows from the AUC and the counts.
    """
    members, nonmembers = int(true_positives[-1]), int(false_positives[-1])
    low, high = delong(true_positives, false_positives)
    if min(members, nonmembers) >= FEW_OF_A_KIND or low == high:
        return low, high
    x, y = false_positives, true_positives
    area = float((np.diff(x) * (y[1:] + y[:-1])).sum()) / (2 * members * nonmembers)
    other = newcombe(area, members, nonmembers)
    return min(low, other[0]), max(high, other[1])


def newcombe(auc: float, members: int, nonmembers: int, level: float = 0.95) -> tuple[float, float]:
    """Return the AUCs from which the one found is no further than their own deviations allow.

    Newcombe's (2006) method 5: Hanley and McNeil's variance of exponential scores, with the mean of
    the two counts in place of either.
    """
    z, others = -float(ndtri((1.0 - level) / 2.0)), (members + nonmembers) / 2.0 - 1.0

    def far(area):
        beats = 1.0 + others * ((1.0 - area) / (2.0 - area) + area / (1.0 + area))
        return (auc - area) ** 2 > z**2 * area * (1.0 - area) * beats / (members * nonmembers)

    return bisected(far, 0.0, auc), bisected(far, 1.0, auc)


def bisected(true_at, low: float, high: float, halvings: int = 50) -> float:
    """Return where a condition that holds at `low` and not at `high` ceases to hold.

    From the side of `low`, which may be the larger.
    """
    for _ in range(halvings):
        middle = (low + high) / 2.0
        low, high = (middle, high) if true_at(middle) else (low, middle)
    return low


def delong(
    true_positives: np.ndarray, false_positives: np.ndarray, level: float = 0.95
) -> tuple[float, float]:
    """Return DeLong's interval of the AUC of one ROC curve, symmetric in the logit of the AUC.

    (Near 1 the symmetric one covers 90 %; Pepe 2003, section 5.2.5, takes the logit.)

    Takes the counts (K,) at the curve's points from (0, 0) to (members, nonmembers), tied scores
    one step. Variance of the two-sample U statistic by its structural components (DeLong et al.
    1988), which are mid-ranks (Sun and Xu 2014); the counts hold the mid-ranks already, so this is
    linear in K. Degenerate cases:
    - fewer than two members or non-members: no variance can be told, (0, 1);
    - perfect separation (or its reverse): the variance is 0 by chance. min(members, nonmembers)
      disjoint pairs all came out in order, so the limit is tail ** (1 / that number) from 1;
    - all scores tied: (0.5, 0.5), which is what a constant score is worth.
    """
    members, nonmembers = int(true_positives[-1]), int(false_positives[-1])
    if min(members, nonmembers) < 2:
        return 0.0, 1.0
    here, there = np.diff(true_positives), np.diff(false_positives)  # of one tied group each
    beaten = (nonmembers - false_positives[1:] + 0.5 * there) / nonmembers  # V10, by a member
    beating = (true_positives[:-1] + 0.5 * here) / members  # V01, a non-member
    auc = float(here @ beaten) / members
    tail = (1.0 - level) / 2.0
    exact = tail ** (1.0 / min(members, nonmembers))
    if auc in (0.0, 1.0):
        return (exact, 1.0) if auc else (0.0, 1.0 - exact)
    variance = (here @ (beaten - auc) ** 2) / (members - 1) / members
    variance += (there @ (beating - auc) ** 2) / (nonmembers - 1) / nonmembers
    reach = -float(ndtri(tail)) * float(np.sqrt(variance)) / (auc * (1.0 - auc))
    return float(expit(logit(auc) - reach)), float(expit(logit(auc) + reach))
