"""Advantage and bounds against each factor as it was measured of cohorts (zhu2025 Fig. 3)."""

import numpy as np

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common, disclosed
from miatlas.exhibits.measured_factors import numbers

READS = ("bounds",)
TITLES = {
    "calibration": "relative calibration error $\\Delta$",
    "aleatoric": "aleatoric uncertainty $A$",
    "epistemic": "epistemic uncertainty $E$",
}
BY_KL = {"linestyle": (0, (1, 1.4)), "linewidth": 1.1}


def draw(evidence: Evidence, *, factors: dict):
    """Return the figure and its numbers (`exhibits.measured_factors.numbers`).

    `factors`: for each of calibration, aleatoric and epistemic the cohorts of a family that is to
    move it. A column of panels for each factor, its measured mean on the x axis, and a row for each
    disclosure: what is achieved (with its interval for this population), the mean of the tightest
    bounds, and that of the bounds that KL divergences alone give.
    """
    data = numbers(evidence, factors)
    kinds, names = list(dict.fromkeys(data["factor"])), list(disclosed.NAMES)
    width = max(common.COLUMN, 0.4 + 2.2 * len(kinds))
    figure = common.figure(width, 0.8 + 1.7 * len(names))
    grid = figure.subplots(len(names), len(kinds), sharex="col", sharey=True, squeeze=False)
    for row, name in zip(grid, names, strict=True):
        row[0].set_ylabel(f"{name.upper()}: advantage")
        for axes, kind in zip(row, kinds, strict=True):
            _panel(axes, data[(data["factor"] == kind) & (data["disclosure"] == name)], name)
    for axes, kind in zip(grid[-1], kinds, strict=True):
        axes.set_xlabel(TITLES[kind])
        axes.margins(x=0.08)
    grid[0, 0].set_ylim(min(-0.02, np.nanmin(data[["low", "achieved"]]) - 0.02), 1.04)
    lines = [disclosed.key("tightest bound", **disclosed.BOUND)]
    lines += [disclosed.key("by KL divergence alone", **BY_KL)]
    keys = [*disclosed.keys_of(names), *lines]
    figure.legend(handles=keys, loc="outside upper center", ncols=3 if len(kinds) > 2 else 2)
    return figure, data


def _panel(axes, own, name):
    look = disclosed.LOOKS[name]
    axes.plot(own["x"], own["bound"], color=look["color"], **disclosed.BOUND)
    axes.plot(own["x"], own["kl_bound"], color=look["color"], **BY_KL)
    axes.plot(own["x"], own["achieved"], linewidth=1.5, **look)
    known = own.dropna(subset=["low"])
    errors = [known["achieved"] - known["low"], known["high"] - known["achieved"]]
    axes.errorbar(known["x"], known["achieved"], errors, fmt="none", ecolor=look["color"])
    disclosed.say_untold(axes, [name] if own["bound"].isna().any() else [])
