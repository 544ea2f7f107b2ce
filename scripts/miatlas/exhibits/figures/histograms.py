"""Losses of four examples, with and without them in training (carlini2022 Fig. 3)."""

from typing import Annotated, Literal

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common, shadows
from miatlas.exhibits.texts import in_figure
from miatlas.options import between, positive
from miatlas.signals.statistics import loss_from_phi

READS = ("signals",)
COLUMNS = ["inlier", "outlier"]
ROWS = ["easy to fit", "hard to fit"]
XLABEL = {"loss": "cross-entropy loss", "logit": "logit-scaled confidence $\\phi$"}


def draw(
    evidence: Evidence,
    *,
    statistic: Literal["loss", "logit"] = "loss",
    share: Annotated[float, between(0.0, 0.5)] = 0.05,
    extreme: Annotated[float, between(0.0, 0.5)] = 0.05,
    bins: Annotated[int, positive] = 24,
):
    """Return the figure and its numbers: the examples chosen by `choose`, and their histograms.

    All panels have the same bins (of log loss, or of phi) and count models. Columns: column, row,
    example, kind (IN or OUT), left, right, models.

    `statistic`: what is counted: the loss, or its logit. `share`: how many examples are inliers and
    outliers: those of the lowest and of the highest mean loss over OUT models. `extreme`: the
    quantile of the loss over IN models at which the easy example of either stands; the hard one, as
    far from the other end. `bins`: of each histogram.
    """
    signals = evidence.signals
    chosen = choose(signals, share, extreme)
    columns = signals["phi"][:, list(chosen.values())].astype(np.float64)
    values = columns if statistic == "logit" else np.maximum(loss_from_phi(columns), 1e-300)
    limits = shadows.edges(values, bins, logarithmic=statistic == "loss")
    figure = common.figure(5.2, 4.2)
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    tables = []
    for place, ((column, row), example) in enumerate(chosen.items()):
        axes = grid[ROWS.index(row), COLUMNS.index(column)]
        inside = signals["member"][:, example]
        table = _panel(axes, values[:, place], inside, limits)
        axes.set_title(f"{column}, {row}")
        axes.text(0.5, 0.97, in_figure(shadows.describe(signals, example)), **_corner(axes))
        tables.append(table.assign(column=column, row=row, example=example))
    _finish(figure, grid, statistic)
    order = ["column", "row", "example", "kind", "left", "right", "models"]
    return figure, pd.concat(tables, ignore_index=True)[order]


def choose(signals: dict, share: float, extreme: float) -> dict[tuple[str, str], int]:
    """Return the four examples by (column, row).

    Inliers are the `share` of the pool with the lowest mean loss over the models that did not train
    on them, outliers the share with the highest. Among either, the example at the quantile
    `extreme` of the mean loss over the models that did train on it is easy to fit, the one at
    1 - extreme hard to fit.
    """
    candidates = shadows.usable(signals, 1)
    inside = signals["member"][:, candidates]
    losses = loss_from_phi(signals["phi"][:, candidates])
    loss_in, loss_out = shadows.mean_of(losses, inside), shadows.mean_of(losses, ~inside)
    order = np.argsort(loss_out, kind="stable")
    size = min(max(int(np.ceil(share * len(order))), 2), len(order))
    groups = {"inlier": order[:size], "outlier": order[-size:]}
    chosen = {}
    for row, quantile in zip(ROWS, (extreme, 1 - extreme), strict=True):
        for column, group in groups.items():
            ranked = group[np.argsort(loss_in[group], kind="stable")]
            chosen[column, row] = int(candidates[ranked[round(quantile * (size - 1))]])
    return chosen


def _panel(axes, values, inside, limits):
    tables = []
    for kind, mask in (("OUT", ~inside), ("IN", inside)):
        counts = np.histogram(values[mask], limits)[0]
        shadows.bars(axes, counts, limits, kind)
        table = {"kind": kind, "left": limits[:-1], "right": limits[1:], "models": counts}
        tables.append(pd.DataFrame(table))
    return pd.concat(tables)


def _corner(axes):
    return {
        "transform": axes.transAxes,
        "ha": "center",
        "va": "top",
        "fontsize": 6.5,
        "color": "0.35",
    }


def _finish(figure, grid, statistic):
    if statistic == "loss":
        grid[0, 0].set_xscale("log")
    for axes in grid[1]:
        axes.set_xlabel(XLABEL[statistic])
    for axes in grid[:, 0]:
        axes.set_ylabel("models")
    top = grid[0, 0].get_ylim()[1]
    grid[0, 0].set_ylim(0, 1.15 * top)  # room for the example's name
    grid[0, 0].yaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(handles=shadows.handles(), loc="outside upper center", ncols=2)
