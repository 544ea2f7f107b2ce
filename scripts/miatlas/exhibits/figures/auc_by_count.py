"""AUC against the number of models or of population points that an attack uses (ye2022 Fig. 3)."""

from dataclasses import asdict
from typing import Literal

import pandas as pd
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.exhibits.figures import common
from miatlas.exhibits.texts import in_figure

MARKERS = "osD^vP"
QUANTITIES = {"models": "reference models", "points": "population points per class"}


def draw(
    evidence: Evidence,
    *,
    over: Literal["mean", "pooled"] = "mean",
    audit_names: dict = {},
):
    """Return the figure and its numbers: a panel for each quantity, AUC with 95 % intervals.

    Attacks that are shown under one name are one line. An attack stands at its option `per_class`,
    or else at the number of references it was asked to use.
    Columns: quantity, line, audit, label, count, value, low, high (this population, drawn),
    examples_low, examples_high (these examples).

    `over`: the mean over the targets, or one threshold for all of them (pooled). `audit_names`:
    audit -> the name shown, behind that of the attack where there are several.
    """
    lines = _lines(evidence, audit_names)
    order = sorted(lines, key=lambda place: list(QUANTITIES).index(place[0]))
    table = pd.DataFrame([lines[place][count] for place in order for count in sorted(lines[place])])
    values = [asdict(estimate(evidence.result(*pair), "auc", over=over)) for pair in table["pair"]]
    read = ["value", "low", "high", "examples_low", "examples_high"]
    data = pd.concat([table, pd.DataFrame(values)[read]], axis=1)
    data = data.drop(columns="pair")
    panels = [quantity for quantity in QUANTITIES if (data["quantity"] == quantity).any()]
    figure = common.figure(common.PAGE / 2 * len(panels), 2.7)
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    looks = {name: index for index, (_, name) in enumerate(lines)}
    for axes, quantity in zip(grid, panels, strict=True):
        part = data[data["quantity"] == quantity]
        for name, points in part.groupby("line", sort=False):
            _line(axes, points, looks[name], shift=looks[name] - (len(looks) - 1) / 2)
        _finish(axes, part, QUANTITIES[quantity])
    grid[0].set_ylabel("AUC")
    return figure, data


def _lines(evidence, audit_names):
    """Return the points by (quantity, line) and count; ValueError for two at one place."""
    several, lines = len(evidence.audits()) > 1 and bool(audit_names), {}
    for audit, label in evidence.pairs():
        result, name = evidence.result(audit, label), evidence.names[label]
        quantity, count = _count(result)
        name = f"{name}, {audit_names.get(audit, audit)}" if several else name
        line = lines.setdefault((quantity, name), {})
        if count in line:
            raise ValueError(f"{line[count]['label']} and {label} are both {name} at {count}")
        line[count] = {
            "quantity": quantity, "line": name, "audit": audit, "label": label, "count": count,
            "pair": (audit, label),
        }  # fmt: skip
    return lines


def _count(result):
    points = result["options"].get("per_class")
    if points is not None:
        return "points", points
    if result["references"] is None:
        raise ValueError(f"{result['label']}: neither references nor per_class says its number")
    return "models", result["references"]


def _line(axes, points, index, shift):
    look, y = common.style(index), points["value"]
    x = points["count"] * 1.015**shift  # error bars side by side
    errors = [(y - points["low"]).fillna(0), (points["high"] - y).fillna(0)]
    axes.errorbar(x, y, errors, fmt="none", ecolor=look["color"], elinewidth=0.8)
    marker = MARKERS[index % len(MARKERS)]
    axes.plot(x, y, label=in_figure(points["line"].iloc[0]), marker=marker, **look)


def _finish(axes, data, quantity):
    counts = sorted(data["count"].unique())
    axes.set(xscale="log", xlim=(counts[0] / 1.25, counts[-1] * 1.25), xlabel=quantity)
    axes.xaxis.set_major_locator(FixedLocator(counts))
    axes.xaxis.set_major_formatter(FixedFormatter([str(count) for count in counts]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(3, data["line"].nunique()))
