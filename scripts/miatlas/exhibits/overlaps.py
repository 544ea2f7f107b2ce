"""How much of what attacks name is the same, in numbers: what figure and table of it share."""

from itertools import combinations

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.named import by_attack
from miatlas.leakage.overlap import jaccard, share

ANY, ALL = "any", "all"


def overlaps(evidence: Evidence, level: float) -> pd.DataFrame:
    """Return what is named at an FPR of other models: a row a number, of all targets together.

    Columns: kind, first, second (labels, or ""), value, low, high, part, whole as `share` has them,
    by_chance. Kinds: `named`, the share of the members that the attack first names, or that `any`
    or `all` do; `alone`, those that no other attack names; `jaccard` of first and second, by_chance
    what it would be if each named as many of every target's members by lot; `count`, the share of
    the members that exactly as many attacks name as first says.
    """
    named, member = by_attack(evidence, level)
    count = np.sum(list(named.values()), axis=0)
    rows = [_row("named", label, share(found, member)) for label, found in named.items()]
    rows += [
        _row("alone", label, share(found & (count == 1), member)) for label, found in named.items()
    ]
    for (first, one), (second, other) in combinations(named.items(), 2):
        chance = by_chance(one, other, member)
        rows.append(_row("jaccard", first, jaccard(one, other), second, chance))
    rows.append(_row("named", ANY, share(count > 0, member)))
    rows.append(_row("named", ALL, share(count == len(named), member)))
    numbers = range(len(named) + 1)
    rows += [_row("count", str(k), share(member & (count == k), member)) for k in numbers]
    return pd.DataFrame(rows)


def by_chance(first, second, member) -> float:  # (T, N) three times
    """Return the Jaccard index of as many named by lot: expected pairs of both over of either."""
    one, other = first.sum(axis=1), second.sum(axis=1)
    both = (one * other / np.maximum(member.sum(axis=1), 1)).sum()
    either = one.sum() + other.sum() - both
    return both / either if either else np.nan


def _row(kind, first, found, second="", chance=np.nan):
    return {"kind": kind, "first": first, "second": second, **found, "by_chance": chance}
