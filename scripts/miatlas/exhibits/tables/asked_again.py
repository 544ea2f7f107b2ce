"""The same models asked in two ways: what changes, target by target, example by example (zhu2025).

The negative control of CV: a temperature is a bijection of the confidence vector, and the advantage
of the best test on a vector is that on any bijection of it. What does change is how well a
Dirichlet law fits. The true label's confidence and the decision set are no bijections of what they
were: they may move.
"""

from typing import Literal

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import disclosed
from miatlas.leakage.intervals import student

READS = ("metrics", "bounds")
QUANTITIES = {"advantage": "advantage", "auc": "AUC"}


def tabulate(
    evidence: Evidence,
    *,
    pair: list[str],
    disclosures: dict = {},
    quantity: Literal["advantage", "auc"] = "advantage",
    cohort_names: dict = {},
):
    """Return the numbers and the table shown, a row for each disclosure.

    `pair`: two cohorts of one set of models, both attacked on the same targets; differences are the
    second's less the first's. Achieved: the `quantity`, the advantage of the cross-validated test
    at log-ratio 0, mean over the examples, or the attack's AUC, mean over the targets; the
    difference with Student's 95 % interval of paired differences. Largest: the mean over the
    examples of the
    largest advantage between the fitted laws, with the interval of its paired difference.
    Raises ValueError if the targets or the examples of the two are not the same.

    `cohort_names`: cohort -> the name shown. `disclosures`: cv, tlc, ds -> the label of the attack
    on it; lira_cv, lira_tlc and lira_ds need not be named.
    """
    if len(pair) != 2:
        raise ValueError(f"pair: needs two cohorts, not {len(pair)}")
    results = disclosed.results_of(evidence, disclosures)
    bounds = [disclosed.bounds_of(evidence, cohort) for cohort in pair]
    if missing := [cohort for cohort in pair if cohort not in results]:
        raise ValueError(f"pair: no attack on a disclosure has targets of {missing[0]!r}")
    titles = [cohort_names.get(cohort, cohort) for cohort in pair]
    numbers, shown = [], []
    for name in disclosed.NAMES:
        own = [results[cohort].get(name) for cohort in pair]
        if None in own:
            continue
        found = {"achieved": _achieved(own, bounds, name, quantity),
                 "largest": _by_example(bounds, f"{name}_optimum", 1.0)}  # fmt: skip
        columns = ((f"{k}_{key}", x) for k, values in found.items() for key, x in values.items())
        numbers.append({"disclosure": name, **dict(columns)})
        cells = _cells(found["achieved"], QUANTITIES[quantity], titles)
        cells |= _cells(found["largest"], "largest, by the fits", titles)
        shown.append({"Disclosure": disclosed.NAMES[name], **cells})
    shown = pd.DataFrame(shown)
    shown.attrs["notes"] = ["Differences: of the same targets, of the same examples; 95 % limits."]
    return pd.DataFrame(numbers), shown


def _cells(values, what, titles):
    """Return the cells of one quantity: of the two cohorts, and their difference."""
    both = {
        f"{what}, {titles[i]}": f"{values[key]:.3f}" for i, key in enumerate(("first", "second"))
    }
    known = not np.isnan(values["low"])
    interval = f" [{values['low']:+.3f}, {values['high']:+.3f}]" if known else ""
    return both | {f"difference ({what})": f"{values['difference']:+.3f}{interval}"}


def _achieved(results, bounds, name, quantity):
    one, other = ({t["target"]: _value(t[quantity]) for t in r["targets"]} for r in results)
    if one.keys() != other.keys():
        raise ValueError("pair: the two were not attacked on the same targets")
    if quantity == "advantage":
        return _by_example(bounds, f"{name}_achieved", 2.0)
    return _paired(np.array(list(one.values())), np.array([other[target] for target in one]), 1.0)


def _value(quantity) -> float:
    """Return the value of a quantity, which may come with its interval."""
    return quantity["value"] if isinstance(quantity, dict) else quantity


def _by_example(bounds, column, most):
    one, other = (table.set_index("example")[column] for table in bounds)
    if not one.index.equals(other.index):
        raise ValueError("pair: the bounds of the two are not of the same examples")
    return _paired(one.to_numpy(np.float64), other.to_numpy(np.float64), most)


def _paired(first, second, most):
    """Return the means, and the mean of second - first with Student's 95 % limits.

    No difference is larger than `most`, and no limit.
    """
    first, second = (x[~np.isnan(first) & ~np.isnan(second)] for x in (first, second))
    gaps = second - first
    half = np.nan
    if len(gaps) > 1:
        half = student(gaps.std(ddof=1), len(gaps))
    mean = float(gaps.mean())
    return {
        "first": float(first.mean()), "second": float(second.mean()), "difference": mean,
        "low": max(mean - half, -most), "high": min(mean + half, most),
    }  # fmt: skip
