"""TPR at low FPRs, and the AUC, against the number of reference models (carlini2022 Fig. 9)."""

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
APART = 1.15  # at least, of two numbers that are written below the axis
AUC = "auc"


def draw(
    evidence: Evidence,
    *,
    measures: list[Level | Literal["auc"]] = [0.001],
    over: Literal["mean", "pooled"] = "mean",
    audit_names: dict = {},
):
    """Return the figure and its numbers: a panel for each measure, a line for each attack with one
    kind of variance, 95 % intervals.

    `measures`: FPRs at which the TPR is shown, of those evaluated, or `auc`. Attacks that are
    shown under one name are one line. Open markers: the level is below what the targets resolve.
    Columns: measure, series, audit, label, references, value, low, high, realised_fpr,
    below_resolution.

    `over`: the mean over the targets, or one threshold for all of them (pooled). `audit_names`:
    audit -> the name shown, behind that of the attack where there are several.
    """
    lines, tables = sweeps(evidence, audit_names), []
    if not measures:
        raise ValueError("measures: at least one FPR, or auc")
    width = common.COLUMN if len(measures) == 1 else common.PAGE * max(len(measures) / 3, 0.8)
    figure = common.figure(width, 2.7)
    grid = figure.subplots(1, len(measures), squeeze=False)[0]
    for axes, measure in zip(grid, measures, strict=True):
        own = []
        for index, sweep in enumerate(lines):
            rows = [_row(sweep.name, point, measure, over) for point in sweep.points]
            own.append(pd.DataFrame(rows))
            _draw_line(axes, own[-1], index, shift=index - (len(lines) - 1) / 2)
        axes.axhline(50 if measure == AUC else 100 * measure, label="chance", **common.CHANCE)
        _finish(axes, pd.concat(own), measure)
        tables += own
    _legend(figure, grid, len(lines))
    return figure, pd.concat(tables, ignore_index=True)


def _row(name, point, measure, over):
    count, result = point
    place = {"series": name, "audit": result["audit"], "label": result["label"]}
    asked = (AUC, None) if measure == AUC else ("tpr", measure)
    found = asdict(estimate(result, *asked, over))
    return {"measure": measure, **place, "references": count, **found}


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


def _finish(axes, data, measure):
    counts = sorted(data["references"].unique())
    axes.set(xscale="log", xlim=(counts[0] / 1.25, counts[-1] * 1.25))
    written = _apart(counts)
    axes.xaxis.set_major_locator(FixedLocator(written))
    axes.xaxis.set_major_formatter(FixedFormatter([str(count) for count in written]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("reference models of an example")
    if measure == AUC:
        axes.set_ylabel("AUC (%)")
        return
    top = max(100 * data["high"].fillna(data["value"]).max(), 200 * measure)
    axes.set(ylim=(0, 1.12 * top), ylabel=f"TPR (%) at {percent(measure)} FPR")


def _apart(counts):
    """Return the numbers, in ascending order, without those that lie close to a larger one."""
    kept = []
    for count in reversed(counts):
        if not kept or count * APART <= kept[0]:
            kept.insert(0, count)
    return kept


def _legend(figure, grid, lines):
    if len(grid) == 1:
        grid[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        return
    shown = grid[0].get_legend_handles_labels()
    figure.legend(*shown, loc="outside upper center", ncols=min(lines + 1, 4))
