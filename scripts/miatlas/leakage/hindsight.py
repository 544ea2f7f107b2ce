"""What a threshold chosen on the target's own scores can claim.

The largest TPR at FPR ≤ level, and the largest TPR - FPR, are what papers print. Both look for the
best threshold where they are measured: at few false positives, and on weak attacks, they are biased
upwards. Their intervals here are of the law of the scores, so that they know of the search.
"""

import numpy as np
from scipy.special import bdtr, bdtrik, betainc, betaincinv

from miatlas.leakage.intervals import clopper_pearson, difference
from miatlas.leakage.roc import Roc, allowed_false_positives, best_point

DRAWS = 100  # equally likely places of the threshold


def tpr_at_fpr(curve: Roc, level: float, strict: bool = False) -> dict:
    """Return the largest TPR at FPR ≤ level, where it was attained, and its 95 % interval.

    `realised_fpr` is the FPR of that point, `allowed` the number of false positives that the level
    allows; `below_resolution` says that it is 0, the level being below 1 / nonmembers. `strict`
    asks for FPR < level, as the public script of 2021 reads it.
    """
    allowed = allowed_false_positives(level, curve.nonmembers, strict)
    point = int(np.searchsorted(curve.false_positives, allowed, side="right")) - 1
    true_positives = int(curve.true_positives[point])
    false_positives = int(curve.false_positives[point])
    low, high = tpr_interval(curve, level)
    tpr = true_positives / curve.members
    return {
        "level": level,
        "realised_fpr": false_positives / curve.nonmembers,
        "tpr": tpr,
        "low": min(low, tpr),
        "high": max(high, tpr),
        "true_positives": true_positives,
        "false_positives": false_positives,
        "allowed": allowed,
        "below_resolution": allowed == 0,
    }


def tpr_interval(curve: Roc, level: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return an interval of the TPR at that FPR of the law of the scores.

    The threshold τ of FPR = level is not known, but the number of non-members above it is
    Binomial(nonmembers, level) whatever the law of the scores. Each of these places calls so many
    members, c, and the TPR given c has the fiducial law Beta(c + 1/2, members - c + 1/2). The
    limits are quantiles of the mixture over all places: an exact count in place of a bootstrap.
    The lower one knows how early a threshold lies with no non-member above it (`earlier`).
    """
    places, tail = threshold_places(curve.nonmembers, level), (1.0 - confidence) / 2.0
    early = earlier(places, curve.nonmembers * level)
    low, high = (np.rint(called_members(curve, at)) for at in (early, places))
    return _quantile(low, curve.members, tail), _quantile(high, curve.members, 1.0 - tail)


def threshold_places(nonmembers: int, level: float, draws: int = DRAWS) -> np.ndarray:
    """Return equally likely numbers (draws,) of non-members above the threshold of FPR = level.

    K + U with K ~ Binomial(nonmembers, level) and U uniform in [0, 1), by its quantiles: of places
    between two neighbouring non-members none is more likely than another.
    """
    chances = (np.arange(draws) + 0.5) / draws
    least = bdtr(0.0, nonmembers, level)
    found = bdtrik(np.maximum(chances, least), nonmembers, level)  # a real number, K its ceiling
    count = np.where(chances <= least, 0.0, np.ceil(found - 1e-9))
    below = np.where(count > 0, bdtr(np.maximum(count - 1, 0), nonmembers, level), 0.0)
    there = bdtr(count, nonmembers, level) - below
    return count + np.clip((chances - below) / there, 0.0, 1.0 - 1e-9)


def earlier(places: np.ndarray, expected: float) -> np.ndarray:
    """Return the places (draws,), those below 1 no later than the rate of the level has it.

    The non-members' FPRs are a Poisson process. Where none is above the threshold, whose FPR is
    `expected` of their mean distances, the first follows it at an exponential distance E: the
    threshold lies at expected / (expected + E) of the way, which is early where few are expected.
    """
    with np.errstate(divide="ignore"):
        share = expected / (expected - np.log(np.minimum(places, 1.0)))
    return np.where(places < 1.0, np.minimum(places, share), places)


def called_members(curve: Roc, places: np.ndarray) -> np.ndarray:
    """Return how many members (...) score above thresholds with so many non-members above.

    Within a whole number K of non-members the curve climbs from the fewest members to the most; a
    fraction is that share of the climb. Where ties skip K, it is what was attained before.
    """
    count = np.minimum(np.floor(places), curve.nonmembers).astype(np.int64)
    most = curve.true_positives[np.searchsorted(curve.false_positives, count, side="right") - 1]
    first = np.searchsorted(curve.false_positives, count)
    reached = curve.false_positives[first] == count
    fewest = np.where(reached, curve.true_positives[first], most)
    return fewest + (places - count) * (most - fewest)


def interpolated_tpr(curve: Roc, level: float) -> float:
    """Return the TPR where level (nonmembers + 1) non-members are above: their FPR is level on
    average, while that of the largest TPR within the level is larger."""
    return float(called_members(curve, np.array(level * (curve.nonmembers + 1)))) / curve.members


def expected_tpr(curve: Roc, level: float) -> float:
    """Return the TPR where, on average, the threshold of FPR = level lies (`threshold_places`).

    The largest TPR within the level is often below it where the level allows nearly one more.
    """
    return float(called_members(curve, np.array(level * curve.nonmembers + 0.5))) / curve.members


def threshold(curve: Roc, level: float) -> float:
    """Return the threshold of the largest TPR at FPR ≤ level."""
    allowed = allowed_false_positives(level, curve.nonmembers)
    return float(curve.thresholds[np.searchsorted(curve.false_positives, allowed, "right") - 1])


def slope(curve: Roc, level: float) -> float:
    """Return dTPR / dFPR at that FPR: a secant over one deviation of the threshold to each side."""
    middle = level * (curve.nonmembers + 1)
    reach = max(np.sqrt(curve.nonmembers * level * (1.0 - level)), 1.0)
    ends = np.clip([middle - reach, middle + reach], 0.0, curve.nonmembers)
    climbed = float(np.diff(called_members(curve, ends))[0]) / curve.members
    return climbed * curve.nonmembers / float(ends[1] - ends[0])


def noise_reaches(members: int, nonmembers: int) -> dict:
    """Return the "mean" and the "high" 95 % limit of max(TPR - FPR) on scores that know nothing.

    It is the one-sided two-sample statistic of Kolmogorov and Smirnov: with 1/n = 1/members +
    1/nonmembers, P(max > d) = exp(-2 n d²) for large n, of mean √(π / 8n). It does not depend on
    the law of the scores; ties make it smaller.
    """
    mean = float(np.sqrt(np.pi / 8.0 * (1.0 / members + 1.0 / nonmembers)))
    return {"mean": mean, "high": noise_limit(members, nonmembers, 0.05)}


def noise_adds(curve: Roc, chance: float = 0.025) -> float:
    """Return what noise adds to max(TPR - FPR) with no more than this chance."""
    return noise_limit(curve.members, curve.nonmembers, chance)


def noise_limit(members: int, nonmembers: int, chance: float) -> float:
    """Return what max(TPR - FPR) exceeds with this chance on scores that know nothing."""
    return min(float(np.sqrt(-np.log(chance) / 2.0 * (1.0 / members + 1.0 / nonmembers))), 1.0)


def advantage_interval(curve: Roc, confidence: float = 0.95) -> tuple[float, float]:
    """Return an interval of max(TPR - FPR) of the scores' law; on noise it holds 0.

    Below, all that noise can add to a largest difference. Above, the reach of a difference of two
    proportions: the best threshold of the law is one of those tried, so that its own difference
    was found or exceeded.
    """
    point, tail = best_point(curve), (1.0 - confidence) / 2.0
    hits, alarms = int(curve.true_positives[point]), int(curve.false_positives[point])
    found = hits / curve.members - alarms / curve.nonmembers
    added = noise_adds(curve, tail)
    tpr = clopper_pearson(hits, curve.members, confidence)
    fpr = clopper_pearson(alarms, curve.nonmembers, confidence)
    high = difference(hits / curve.members, tpr, alarms / curve.nonmembers, fpr)[1]
    return max(found - added, 0.0), high


def _quantile(called, members: int, chance: float, halvings: int = 24) -> float:
    """Return a quantile of an equal mixture of Beta(called + 1/2, members - called + 1/2), (K,).

    By bisection: it lies between those of the lowest and of the highest component.
    """
    places, weights = np.unique(called, return_counts=True)
    a, b, weights = places + 0.5, members - places + 0.5, weights / len(called)
    low, high = betaincinv(a[0], b[0], chance), betaincinv(a[-1], b[-1], chance)
    for _ in range(halvings):
        middle = (low + high) / 2.0
        more = betainc(a, b, middle) @ weights < chance
        low, high = (middle, high) if more else (low, middle)
    return float((low + high) / 2.0)
