"""TPR at a low FPR against accuracy or its gap, a point a cohort (carlini2022 Fig. 7, 16)."""

from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import stdtr

from miatlas.exhibits import accuracies
from miatlas.exhibits.evidence import Evidence, estimate, percent
from miatlas.exhibits.figures import common
from miatlas.exhibits.texts import in_figure
from miatlas.leakage.levels import Level

READS = ("metrics", "scale")
MARKERS = "osD^vP"
AXES = {"accuracy_gap": "train - test accuracy (points)", "test_accuracy": "test accuracy (%)"}


def draw(
    evidence: Evidence,
    *,
    against: Literal["accuracy_gap", "test_accuracy"] = "accuracy_gap",
    level: Level = 0.001,
    over: Literal["mean", "pooled"] = "pooled",
    families: dict = {},
    cohort_names: dict = {},
):
    """Return the figure and its numbers: audit, label, cohort, name, family, x and tpr with limits.

    x: mean over the models of the target cohort; tpr `over` the targets, at the FPR `level`; bars:
    95 % intervals, of the mean over models, and for this population. `families`: name -> cohorts
    that are drawn alike (default: those of one architecture). Above: Spearman's rank correlation
    over the cohorts and its p-value by Student's t, which takes these for drawn independently.

    `against`: what is on the x axis: train minus test accuracy, or test accuracy. `cohort_names`:
    cohort -> the name shown.
    """
    rows = [_row(evidence, pair, against, level, over, families) for pair in evidence.pairs()]
    data = pd.DataFrame(rows)
    data["name"] = [cohort_names.get(cohort, cohort) for cohort in data["cohort"]]
    figure = common.figure(common.COLUMN + 1.4, common.COLUMN)
    axes = figure.add_subplot()
    for index, (family, own) in enumerate(data.groupby("family", sort=False)):
        _points(axes, own, in_figure(family), index)
    floor = 100 * level
    axes.axhline(floor, label="chance", **common.CHANCE)
    axes.set(yscale="log", xlabel=AXES[against], ylabel=f"TPR (%) at {percent(level)} FPR")
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    axes.set_title(_said(rank_correlation(data["x"], data["tpr"]), len(data)))
    return figure, data


def rank_correlation(x, y) -> tuple[float, float]:
    """Return Spearman's ρ, ties having their mean rank, and its two-sided p-value (nan below 3)."""
    ranks = [pd.Series(np.asarray(values)).rank() for values in (x, y)]
    freedom = len(ranks[0]) - 2
    if freedom < 1 or min(rank.nunique() for rank in ranks) < 2:
        return float("nan"), float("nan")
    rho = float(np.corrcoef(*ranks)[0, 1])
    t = abs(rho) * np.sqrt(freedom / max(1.0 - rho**2, 1e-12))
    return rho, 2.0 * float(stdtr(freedom, -t))


def _said(found, cohorts):
    rho, p = found
    return "" if np.isnan(rho) else f"Spearman's ρ = {rho:.2f} (p = {p:.2g}, {cohorts} cohorts)"


def _row(evidence, pair, against, level, over, families):
    result = evidence.result(*pair)
    cohort, tpr = result["target_cohort"], estimate(result, "tpr", level, over)
    scale = evidence.scale.get(cohort, {})
    try:
        x = accuracies.of_cohort(scale, against)
    except ValueError as error:
        raise ValueError(f"audit {pair[0]}, cohort {cohort}: {error}") from None
    named = [family for family, own in families.items() if cohort in own]
    row = {"audit": pair[0], "label": pair[1], "cohort": cohort, "name": cohort}
    row["family"] = named[0] if named else str(scale.get("architecture"))
    for key, found in (("x", x), ("tpr", tpr)):
        row |= {key: found.value, f"{key}_low": found.low, f"{key}_high": found.high}
    return row


def _points(axes, own, family, index):
    colour = common.COLOURS[index % len(common.COLOURS)]
    x, y = 100 * own["x"], 100 * own["tpr"]
    errors = {"xerr": _reach(own, "x"), "yerr": _reach(own, "tpr")}
    axes.errorbar(x, y, fmt="none", ecolor=colour, elinewidth=0.7, capsize=0, **errors)
    axes.plot(x, y, MARKERS[index % len(MARKERS)], color=colour, label=family)
    for row in own.itertuples():
        place = (100 * row.x, 100 * row.tpr)
        axes.annotate(in_figure(row.name), place, (3, 3), textcoords="offset points", fontsize=5.5)


def _reach(own, name):
    return [100 * (own[name] - own[f"{name}_low"]), 100 * (own[f"{name}_high"] - own[name])]
