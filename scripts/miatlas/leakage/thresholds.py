"""Transferred thresholds: those an attacker has, who does not know the target's members.

The attacker attacks other models of the same kind, each as if it were the target, and takes the
threshold to the target: the level's quantile of their non-members' scores, or where their TPR - FPR
is largest. It never looks at the target, so that the rates there are shares with Clopper-Pearson
intervals. For one target of an audit the others are the audit's other targets; where it has only
one, shadow models that are attacked in its place.
"""

import numpy as np

from miatlas.leakage.intervals import clopper_pearson, difference, ratio
from miatlas.leakage.roc import Roc, allowed_false_positives, best_point, of_sorted

PRIORS = (0.01, 0.1, 0.5)
ONE_TARGET = (
    "thresholds are transferred from other targets: at least two are needed, and there is one"
)


def of_others(scores, member, evaluated, levels) -> list[dict]:  # (T, N) three times
    """Return for each target {"levels": (L,), "best": one threshold} of all others together.

    Raises ValueError if there are fewer than two targets.
    """
    if len(scores) < 2:
        raise ValueError(ONE_TARGET)
    target, _ = np.nonzero(evaluated)
    pool, of_member = scores[evaluated].astype(np.float64), member[evaluated]
    order = np.argsort(pool)[::-1]
    target, pool, of_member = target[order], pool[order], of_member[order]
    found = []
    for row in range(len(scores)):
        others = of_sorted(pool[target != row], of_member[target != row])
        found.append(taken_from(others, levels))
    return found


def taken_from(others: Roc, levels) -> dict:
    """Return {"levels": (L,), "best": one threshold} of a curve of other models' scores."""
    at_levels = np.array([at_level(others, level) for level in levels])
    return {"levels": at_levels, "best": float(others.thresholds[best_point(others)])}


def at_level(others: Roc, level: float) -> float:
    """Return the least threshold at which at most that share of the non-members is called member.

    It lies right above a non-member's score: in the other models no more are allowed.
    """
    allowed = allowed_false_positives(level, others.nonmembers)
    if allowed >= others.nonmembers:
        return -np.inf
    too_many = np.searchsorted(others.false_positives, allowed + 1)
    return float(np.nextafter(others.thresholds[too_many], np.inf))


def judged(curve: Roc, thresholds: dict, levels) -> dict:
    """Return what the thresholds of others (`of_others`) achieve on one target.

    {"rates": [one for each level: level and what `rates` says], "best": `rates` there with
    balanced_accuracy and advantage, {value, low, high} each}.
    """
    at_levels = zip(levels, thresholds["levels"], strict=True)
    best = rates(curve, thresholds["best"])
    tpr, fpr = (best["low"], best["high"]), (best["fpr_low"], best["fpr_high"])
    found = best["tpr"] - best["realised_fpr"]
    low, high = difference(best["tpr"], tpr, best["realised_fpr"], fpr)
    advantage = {"value": found, "low": low, "high": high}
    accuracy = {key: (1.0 + value) / 2.0 for key, value in advantage.items()}
    return {
        "rates": [{"level": level, **rates(curve, threshold)} for level, threshold in at_levels],
        "best": {**best, "balanced_accuracy": accuracy, "advantage": advantage},
    }


def rates(curve: Roc, threshold: float) -> dict:
    """Return threshold, counts, realised_fpr and tpr with their intervals, and the precision.

    "Member" where score ≥ threshold; fpr_low and fpr_high, low and high (of the TPR) are
    Clopper-Pearson's; `precision` by prior, as `precision` has it.
    """
    point = int(np.searchsorted(-curve.thresholds, -threshold, side="right")) - 1
    alarms, hits = (
        int(counts[max(point, 0)]) for counts in (curve.false_positives, curve.true_positives)
    )
    fpr_low, fpr_high = clopper_pearson(alarms, curve.nonmembers)
    low, high = clopper_pearson(hits, curve.members)
    tpr, fpr = hits / curve.members, alarms / curve.nonmembers
    return {
        "threshold": threshold if np.isfinite(threshold) else None,
        "false_positives": alarms, "realised_fpr": fpr, "fpr_low": fpr_low, "fpr_high": fpr_high,
        "true_positives": hits, "tpr": tpr, "low": low, "high": high,
        "precision": precision(tpr, fpr),
    }  # fmt: skip


def precision(tpr: float, fpr: float) -> dict:
    """Return the chance that an example called member is one, by the prior π of membership.

    π TPR / (π TPR + (1 - π) FPR), keyed "0.01", "0.1", "0.5"; None where nobody is called.
    """
    called = {prior: prior * tpr + (1.0 - prior) * fpr for prior in PRIORS}
    return {f"{p:g}": p * tpr / share if share else None for p, share in called.items()}


def precision_limits(tpr: float, of_tpr, fpr: float, of_fpr) -> dict:
    """Return the interval (low, high) of each `precision`, from those of the two rates.

    A precision is 1 / (1 + (1 - π) / π · FPR / TPR), and falls as that ratio grows: where nobody
    was accused falsely the interval reaches 1, and begins where the FPR's upper limit puts it.
    """
    low, high = ratio(fpr, of_fpr, tpr, of_tpr)
    at = {f"{p:g}": (1.0 - p) / p for p in PRIORS}
    return {key: (1.0 / (1.0 + odds * high), 1.0 / (1.0 + odds * low)) for key, odds in at.items()}
