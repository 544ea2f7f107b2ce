"""Advantage and bounds of cohorts at what was measured of them: A, Δ, E (zhu2025 Fig. 3).

What the figure `measured_factors` and the table `factor_trends` share.
"""

import numpy as np
import pandas as pd

from miatlas.bounds.limits import Divergences, all_bounds
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import disclosed

SYMBOLS = {"calibration": "Δ", "aleatoric": "A", "epistemic": "E"}
RISES = {"calibration": True, "aleatoric": False, "epistemic": False}  # what the paper says
BY_KL = slice(0, 4)  # of `limits.all_bounds`: those that follow from KL divergences


def numbers(evidence: Evidence, factors: dict[str, list[str]]) -> pd.DataFrame:
    """Return a row for each factor, cohort and disclosure, in the order of the factor's values.

    `factors`: factor -> the cohorts of a family that is to move it. x: the cohort's measured mean
    of the factor; achieved, low, high: as `disclosed.achieved`; bound: the mean of the examples'
    tightest bounds, kl_bound: of the tightest that KL divergences alone give, optimum: of the
    largest advantages between their fitted laws (nan where not estimated); floor: what fits to as
    many models claim of noise; and all three factors. Raises ValueError for an unknown factor.
    """
    for factor in factors:
        if factor not in SYMBOLS:
            raise ValueError(f"factors: {factor!r} is none of {', '.join(SYMBOLS)}")
    rows = []
    for factor in (known for known in SYMBOLS if known in factors):
        own = [row for cohort in factors[factor] for row in _cohort(evidence, cohort)]
        own = [{"factor": factor, "x": row[factor], **row} for row in own]
        rows += sorted(own, key=lambda row: row["x"])
    if not rows:
        raise ValueError("factors: no cohort to show")
    return pd.DataFrame(rows)


def by_kl(table: pd.DataFrame, name: str) -> pd.Series:
    """Return each example's tightest bound by KL divergences alone, 1 at most."""
    law = Divergences(*(table[f"{name}_{part}"] for part in Divergences._fields))
    return pd.Series(np.minimum(all_bounds(law)[BY_KL].min(axis=0), 1.0), table.index)


def _cohort(evidence, cohort):
    table = disclosed.bounds_of(evidence, cohort)
    for name in disclosed.NAMES:
        found = disclosed.achieved(table, name)
        floor = table[f"{name}_floor"].mean() if f"{name}_floor" in table else float("nan")
        kl = disclosed.mean(pd.DataFrame({name: by_kl(table, name)}), name)
        yield {
            "cohort": cohort, "disclosure": name, "achieved": found.value, "low": found.low,
            "high": found.high, "kl_bound": kl, "floor": floor,
            **{key: disclosed.mean(table, f"{name}_{key}") for key in ("bound", "optimum")},
            **disclosed.factors_of(table),
        }  # fmt: skip
