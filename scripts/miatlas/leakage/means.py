"""Means over the targets of an audit, with intervals, and those of all targets pooled."""

from typing import NamedTuple

import numpy as np

from miatlas.leakage import hindsight, influence, thresholds
from miatlas.leakage.intervals import clopper_pearson
from miatlas.leakage.levels import FEW
from miatlas.leakage.roc import Roc, allowed_false_positives, best_point
from miatlas.leakage.targets import limits, over_targets, reach, skewed

OF_A_KIND = 50  # members and non-members, from which t holds for the mean of their AUC


class Games(NamedTuple):
    """The targets of an audit: arrays (T, N), and the ROC curve of each row."""

    scores: np.ndarray
    member: np.ndarray
    evaluated: np.ndarray
    curves: list[Roc]

    def whole(self, curve: Roc) -> "Games":
        """Return all targets as one game under one threshold, a row (1, T N) with that curve."""
        return Games(*(array.reshape(1, -1) for array in self[:3]), [curve])

    def by_auc(self) -> np.ndarray:  # (T, N)
        """Return the influence of the examples on each AUC."""
        return influence.of_auc(self.curves, *self[:3])

    def by_rates(self, at, on_tpr, on_fpr) -> np.ndarray:  # (T,), ... -> (T, N)
        """Return the influence on on_tpr TPR + on_fpr FPR at thresholds `at`."""
        return influence.of_rates(*self[:3], at, on_tpr, on_fpr)

    def by_advantage(self) -> np.ndarray:  # (T, N)
        """Return the influence on each largest TPR - FPR."""
        at = [curve.thresholds[best_point(curve)] for curve in self.curves]
        return self.by_rates(at, 1.0, -1.0)

    def by_tpr(self, level: float) -> np.ndarray:  # (T, N)
        """Return the influence on each TPR at that FPR, whose threshold is a quantile."""
        at = [hindsight.threshold(curve, level) for curve in self.curves]
        return self.by_rates(at, 1.0, [-hindsight.slope(curve, level) for curve in self.curves])


def of_hindsight(rows: list[dict], games: Games) -> dict:
    """Return the means of the entries of the targets (`metrics.evaluate`), but for transferred."""
    column = {key: [row[key] for row in rows] for key in rows[0]}
    return {
        **{key: _spread(column[key]) for key in ("members", "nonmembers")},
        "auc": _of_areas(column, games),
        **_of_best(column, games),
        "tpr_at_fpr": [
            _of_level(entries, games) for entries in zip(*column["tpr_at_fpr"], strict=True)
        ],
    }


def of_transferred(rows: list[dict], games: Games, at: list[dict]) -> dict:
    """Return {"rates": [one a level], "best"} of the entries' transferred rates.

    `at`: the thresholds, by `thresholds.of_others`. The precision is that of the mean rates.
    """
    entries = [row["transferred"] for row in rows]
    by_level = zip(*(entry["rates"] for entry in entries), strict=True)
    best, at_best = [entry["best"] for entry in entries], [one["best"] for one in at]
    found = _of_rates(best, games, at_best, mutual=True)
    by_advantage = games.by_rates(at_best, 1.0, -1.0)
    for key, share in (("advantage", 1.0), ("balanced_accuracy", 0.5)):
        each = [one[key] for one in best]
        values = [one["value"] for one in each]
        least = -1.0 if key == "advantage" else 0.0
        found[key] = over_targets(
            values, share * by_advantage, _own(each), least=least, mutual=True
        )
    return {
        "rates": [
            _of_quantile(of_level, games, at_level)
            for of_level, at_level in zip(by_level, _columns(at), strict=True)
        ],
        "best": found,
    }


def _of_quantile(entries, games, at):
    """Return the means of the rates at the thresholds of one level."""
    level = entries[0]["level"]
    counts = [curve.nonmembers for curve in games.curves]
    allowed = allowed_false_positives(level, sum(counts) - max(counts))  # among others, at least
    return {"level": level, **_of_rates(entries, games, at, few=allowed < FEW)}


def _columns(at):
    """Return the thresholds (T,) of every level."""
    return np.array([one["levels"] for one in at]).T


def _of_rates(entries, games, at, few=False, mutual=False):
    """Return the means of rates at given thresholds (T,).

    `few`: these allow fewer than ten false positives among the other targets.
    """
    column = {key: [entry[key] for entry in entries] for key in entries[0]}
    members = sum(curve.members for curve in games.curves)
    nonmembers = sum(curve.nonmembers for curve in games.curves)
    hits = clopper_pearson(sum(column["true_positives"]), members)
    alarms = clopper_pearson(sum(column["false_positives"]), nonmembers)
    alone = list(zip(column["fpr_low"], column["fpr_high"], strict=True))
    by_tpr, by_fpr = games.by_rates(at, 1.0, 0.0), games.by_rates(at, 0.0, 1.0)
    tpr = over_targets(column["tpr"], by_tpr, _own(entries), summed=hits, mutual=mutual)
    fpr = over_targets(column["realised_fpr"], by_fpr, alone, summed=alarms, mutual=mutual)
    if few:  # counts too skewed for t
        tpr["these_examples"] = tpr["this_population"] = None
    precision = thresholds.precision(tpr["mean"], fpr["mean"])
    return {"realised_fpr": fpr, "tpr": tpr, "precision": precision}


def _of_areas(column, games):
    """Return the mean of the AUC; none for these examples where a target has few of a kind.

    Near 1, the areas of a few members are too skewed for t: of 15 it holds in 90 of 100 cases.
    """
    areas = [area["value"] for area in column["auc"]]
    found = over_targets(areas, games.by_auc(), _own(column["auc"]))
    if min(*column["members"], *column["nonmembers"]) < OF_A_KIND:
        found["these_examples"] = None
    return found


def _of_level(entries, games):
    """Return the means of the entries of one level."""
    level = entries[0]["level"]
    tpr = over_targets(
        [entry["tpr"] for entry in entries],
        games.by_tpr(level),
        _own(entries),
        centres=[hindsight.interpolated_tpr(curve, level) for curve in games.curves],
        tops=[hindsight.expected_tpr(curve, level) for curve in games.curves],
    )
    allowed = min(entry["allowed"] for entry in entries)
    if allowed < FEW:  # so few counts are too skewed for t: 86 to 94 of 100 intervals hold
        tpr["these_examples"] = None
    return {
        "level": level,
        "realised_fpr": _spread([entry["realised_fpr"] for entry in entries]),
        "tpr": tpr,
        "allowed": allowed,
        "below_resolution": any(entry["below_resolution"] for entry in entries),
    }


def _of_best(column, games):
    """Return the means of the best threshold in hindsight.

    What noise adds to a maximum does not shrink with the number of targets. There is no interval
    for these examples: of noise, it would not hold 0.
    """
    by_advantage = games.by_advantage()
    added = np.mean([hindsight.noise_adds(curve) for curve in games.curves])
    found = {}
    for key, share in (("balanced_accuracy", 0.5), ("advantage", 1.0)):
        own = _own(column[f"{key}_interval"])
        parts = {"below": share * float(added), "least": 1.0 - share}
        found[key] = over_targets(column[key], share * by_advantage, own, **parts)
        found[key]["these_examples"] = None
        noise = [interval["noise_mean"] for interval in column[f"{key}_interval"]]
        found[key]["noise_mean"] = float(np.mean(noise))
    return found


def _spread(values):
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "std": deviation, "n": len(values)}


def _own(entries):
    return [(entry["low"], entry["high"]) for entry in entries]


def of_population(entry: dict, game: Games, shape: tuple[int, int]) -> dict:
    """Return the entry of the pooled game with intervals of models and examples, both drawn.

    `game`: all targets as one row (1, T N), of this `shape` (T, N).
    """
    [curve] = game.curves

    def reached(of_examples):
        by_target = of_examples.reshape(shape)
        return reach(by_target.sum(axis=1), by_target)

    auc, best = reached(game.by_auc()), reached(game.by_advantage())
    value, found = entry["auc"]["value"], entry["advantage"]
    low = max(found - float(np.hypot(best, hindsight.noise_adds(curve))), 0.0)
    high = min(found + best, 1.0)
    rates = []
    for one in entry["tpr_at_fpr"]:
        up = reached(game.by_tpr(one["level"]))
        centre = min(hindsight.interpolated_tpr(curve, one["level"]), one["tpr"])
        held = limits(min(centre - up, one["low"]), max(one["tpr"] + up, one["high"]))
        rates.append({**one, **held})
    return {
        **entry,
        "auc": {"value": value, **limits(*skewed(value, value - auc, value + auc))},
        "advantage_interval": {**entry["advantage_interval"], "low": low, "high": high},
        "balanced_accuracy_interval": {
            **entry["balanced_accuracy_interval"],
            "low": (1.0 + low) / 2.0,
            "high": (1.0 + high) / 2.0,
        },
        "tpr_at_fpr": rates,
    }
