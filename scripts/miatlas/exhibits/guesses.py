"""Targets judged by shadow models of other training: what a wrong guess costs (carlini2022 §VI-E).

A cell is a target cohort and a shadow cohort. The guess is right where both are the same cohort, or
where the shadow cohort is trained as the target's is (`trained_as`: shadow cohort -> that one).
"""

import pandas as pd

from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.leakage import paired

CELL, WRONG, ALL = "cell", "wrong", "all"


def by_cohorts(evidence: Evidence, trained_as: dict = {}) -> dict[tuple[str, str], dict]:
    """Return the result of every (target cohort, shadow cohort), in the order of the audits.

    A shadow cohort in `trained_as` goes by the name that it has there. Raises ValueError if two
    attacks, or two audits, are of one pair: a cell shows one number.
    """
    found = {}
    for audit, label in evidence.pairs():
        result = evidence.result(audit, label)
        shadow = result["shadow_cohort"]
        pair = result["target_cohort"], trained_as.get(shadow, shadow)
        if other := found.get(pair):
            both = f"{other['audit']}/{other['label']} and {audit}/{label}"
            raise ValueError(f"{both} both judge {pair[0]} by {pair[1]}: a cell shows one of them")
        found[pair] = result
    return found


def sides(pairs) -> tuple[list[str], list[str]]:
    """Return the target and the shadow cohorts of pairs, those that are both in the same order."""
    targets, shadows = (list(dict.fromkeys(side)) for side in zip(*pairs, strict=True))
    own = [name for name in targets if name in shadows]
    return targets, own + [name for name in shadows if name not in own]


def costs(evidence: Evidence, level: float, trained_as: dict = {}) -> pd.DataFrame:
    """Return the TPR of every cell at an FPR, and how it differs from the right guess's.

    Columns: kind, target, shadow, audit, label, tpr, difference (this - the right guess, of the
    same target models; nan without one), each with low and high: 95 % intervals for this
    population. Kinds: `cell`; `wrong`, of a target cohort, the mean over its wrong guesses; `all`,
    that over all target cohorts which have both.
    """
    results = by_cohorts(evidence, trained_as)
    rates = {pair: _rates(evidence, result, level) for pair, result in results.items()}
    right = {target: own for (target, shadow), own in rates.items() if target == shadow}
    wrong = {
        target: paired.mean([own for pair, own in rates.items() if _mistaken(pair, target)])
        for target in dict.fromkeys(target for target, _ in rates)
        if any(_mistaken(pair, target) for pair in rates)
    }
    rows = [_cell(pair, results[pair], level, rates[pair], right.get(pair[0])) for pair in results]
    rows += [_row(WRONG, target, own, right.get(target)) for target, own in wrong.items()]
    both = [target for target in wrong if target in right]
    if both:
        pools = (paired.joined([side[target] for target in both]) for side in (wrong, right))
        rows.append(_row(ALL, "", *pools))
    return pd.DataFrame(rows)


def _mistaken(pair, target):
    return pair[0] == target and pair[1] != target


def _rates(evidence, result, level):
    return paired.tprs(**evidence.scores[result["audit"], result["label"]], level=level)


def _cell(pair, result, level, own, right):
    found = estimate(result, "tpr", level)
    row = _row(CELL, pair[0], own, right, pair[1])
    row |= {"audit": result["audit"], "label": result["label"]}
    return row | {"tpr": found.value, "tpr_low": found.low, "tpr_high": found.high}


def _row(kind, target, own, right, shadow=""):
    value, low, high = paired.interval(own)
    rate = {"tpr": value, "tpr_low": max(low, 0.0), "tpr_high": min(high, 1.0)}
    nothing = dict.fromkeys(("difference", "difference_low", "difference_high"), float("nan"))
    place = {"kind": kind, "target": target, "shadow": shadow, "audit": "", "label": ""}
    if right is None:
        return place | rate | nothing
    found = paired.interval(paired.less(own, right))
    return place | rate | dict(zip(nothing, found, strict=True))
