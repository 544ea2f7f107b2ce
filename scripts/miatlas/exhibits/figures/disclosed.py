"""What the figures about disclosures share: names, looks, their numbers in a table of bounds.

Not a figure itself.
"""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from miatlas.bounds.limits import Divergences
from miatlas.exhibits.evidence import Estimate, Evidence

NAMES = {
    "cv": "CV: confidence vector", "tlc": "TLC: true-label confidence", "ds": "DS: decision set",
}  # fmt: skip
LOOKS = {
    "cv": {"color": "#0072B2", "marker": "o"},
    "tlc": {"color": "#D55E00", "marker": "s"},
    "ds": {"color": "#009E73", "marker": "D"},
}
MISSING = 0.05  # of the examples not estimated: more, and their mean is not either
BOUND = {"linestyle": (0, (4, 1.6)), "linewidth": 1.1}


def key(label: str, **look) -> Line2D:
    """Return an entry of a legend for black lines of a kind."""
    return Line2D([], [], color="0.25", label=label, **look)


def keys_of(disclosures) -> list[Line2D]:
    """Return the legend's entries of the disclosures."""
    return [Line2D([], [], label=NAMES[name], linewidth=1.5, **LOOKS[name]) for name in disclosures]


def disclosures_of(labels, given: dict) -> dict[str, str]:
    """Return label -> disclosure; by `given` (disclosure -> label or labels), else by name.

    The names lira_cv, lira_tlc, lira_ds, or those that begin with them, speak for themselves.
    Raises ValueError for an unknown disclosure or label.
    """
    found = {label: name for label in labels for name in NAMES if label.startswith(f"lira_{name}")}
    for name, own in given.items():
        if name not in NAMES:
            raise ValueError(f"disclosures: {name!r} is none of {', '.join(NAMES)}")
        for label in [own] if isinstance(own, str) else own:
            if label not in labels:
                raise ValueError(f"disclosures: {label!r} is not of this exhibit")
            found[label] = name
    return found


def results_of(evidence: Evidence, given: dict) -> dict[str, dict[str, dict]]:
    """Return cohort -> disclosure -> the result of the attack on it, targets being of the cohort.

    Raises ValueError if a cohort has two such results: a point shows one.
    """
    known, found = disclosures_of(evidence.names, given), {}
    for result in evidence.metrics:
        name = known.get(result["label"])
        if name is None:
            continue
        own = found.setdefault(result["target_cohort"], {})
        if name in own:
            pair = [f"{r['audit']}/{r['label']}" for r in (own[name], result)]
            raise ValueError(f"two results of {name} and one cohort: {pair[0]} and {pair[1]}")
        own[name] = result
    return found


def bounds_of(evidence: Evidence, cohort: str) -> pd.DataFrame:
    """Return the bounds of a cohort. Raises ValueError if there are none, or of no example."""
    if cohort not in evidence.bounds:
        there = ", ".join(evidence.bounds) or "nothing"
        raise ValueError(f"there are no bounds of the cohort {cohort!r}; there is: {there}")
    table = evidence.bounds[cohort]
    if table.empty:
        raise ValueError(f"the bounds of {cohort!r} hold no example with IN and OUT models")
    return table


def mean(table: pd.DataFrame, column: str) -> float:
    """Return the mean over the examples; nan where more than MISSING of them are not estimated."""
    values = table[column].to_numpy(np.float64)
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) >= (1.0 - MISSING) * len(values) else float("nan")


def achieved(table: pd.DataFrame, name: str) -> Estimate:
    """Return the advantage of the cross-validated test at log-ratio 0, the mean over the examples.

    Its interval is of the population: examples and models both drawn (`advantage.of_mean`).
    """
    low, high = (float(table[f"{name}_mean_{side}"].iloc[0]) for side in ("low", "high"))
    return Estimate(float(table[f"{name}_achieved"].mean()), low, high)


def say_untold(axes, names) -> None:
    """Write into a panel which disclosures' limits are not estimated, if any."""
    if names:
        text = f"{', '.join(name.upper() for name in names)}: limit not estimated"
        axes.text(0.97, 0.97, text, transform=axes.transAxes, ha="right", va="top", fontsize=6.5)


def pooled(table: pd.DataFrame, name: str) -> tuple[Divergences, float]:
    """Return the divergences and the optimum of the whole pool: the means over its examples.

    Estimates of single examples may be below 0, or an affinity above 1: means are cut, not they.
    """
    *kl, affinity = (mean(table, f"{name}_{part}") for part in Divergences._fields)
    law = Divergences(*np.maximum(kl, 0.0), np.minimum(affinity, 1.0))
    return law, np.maximum(mean(table, f"{name}_optimum"), 0.0)


def factors_of(table: pd.DataFrame) -> dict[str, float]:
    """Return a cohort's mean factors: aleatoric, calibration, epistemic.

    The calibration error is that of the mean confidences, E[m_in,y] / E[m_out,y] - 1: the mean of
    the examples' own errors is whatever the few are that OUT models give no chance at all.
    """
    right = 1.0 - table["aleatoric"].to_numpy(np.float64)
    inside = (1.0 + table["calibration"].to_numpy(np.float64)) * right
    return {
        "aleatoric": float(1.0 - right.mean()),
        "calibration": float(inside.mean() / right.mean() - 1.0),
        "epistemic": float(table["epistemic"].mean()),
    }
