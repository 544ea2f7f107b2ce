"""TPR at a low FPR against the number of shadow models (carlini2022 Fig. 9)."""

from dataclasses import asdict
from typing import Literal

import pandas as pd
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from miatlas.exhibits.evidence import Evidence, estimate, percent
from miatlas.exhibits.figures import common
from miatlas.exhibits.figures.references import sweeps
from miatlas.exhibits.texts import in_figure
from miatlas.leakage.levels import Level

MARKERS = "osD^vP"


def draw(
    evidence: Evidence,
    *,
    level: Level = 0.001,
    over: Literal["mean", "pooled"] = "mean",
    audit_names: dict = {},
):
    """Return the figure and its numbers: a line for each kind of variance, 95 % intervals.

    `level`: the FPR, one of those evaluated. `over`: mean of the targets or one threshold for all,
    as in `exhibits.estimate`. Open markers: the level is below what the targets resolve. Columns:
    series, audit, label, references, value, low, high, realised_fpr, below_resolution.
    """
    figure = common.figure(common.COLUMN, 2.7)
    axes = figure.add_subplot()
    lines, tables = sweeps(evidence, audit_names), []
    for index, sweep in enumerate(lines):
        table = pd.DataFrame([_row(sweep.name, point, level, over) for point in sweep.points])
        _draw_line(axes, table, index, shift=index - (len(lines) - 1) / 2)
        tables.append(table)
    data = pd.concat(tables, ignore_index=True)
    axes.axhline(100 * level, label="chance", **common.CHANCE)
    _finish(axes, data, level)
    return figure, data


def _row(name, point, level, over):
    count, result = point
    place = {"series": name, "audit": result["audit"], "label": result["label"]}
    return {**place, "references": count, **asdict(estimate(result, "tpr", level, over))}


def _draw_line(axes, table, index, shift):
    look = common.style(index)
    x, y = table["references"] * 1.02**shift, 100 * table["value"]  # bars side by side
    errors = [y - 100 * table["low"], 100 * table["high"] - y]
    axes.errorbar(x, y, errors, fmt="none", ecolor=look["color"], elinewidth=0.8)
    axes.plot(
        x, y, label=in_figure(table["series"].iloc[0]), marker=MARKERS[index % len(MARKERS)], **look
    )
    below = table["below_resolution"]
    face = {"marker": MARKERS[index % len(MARKERS)], "linestyle": "none"}
    axes.plot(x[below], y[below], **face, color=look["color"], markerfacecolor="white", zorder=3)


def _finish(axes, data, level):
    counts = sorted(data["references"].unique())
    axes.set(xscale="log", xlim=(counts[0] / 1.25, counts[-1] * 1.25))
    axes.set_ylim(0, 1.12 * max(100 * data["high"].fillna(data["value"]).max(), 200 * level))
    axes.xaxis.set_major_locator(FixedLocator(counts))
    axes.xaxis.set_major_formatter(FixedFormatter([str(count) for count in counts]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="shadow models (half IN, half OUT)", ylabel=f"TPR (%) at {percent(level)} FPR")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
