"""TPR against the size of the training sets of shadow or of reference models (shi2024 Fig. 11)."""

from dataclasses import asdict

import pandas as pd
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from miatlas.exhibits.evidence import Evidence, estimate, percent
from miatlas.exhibits.figures import common
from miatlas.exhibits.texts import in_figure
from miatlas.leakage.levels import Level

READS = ("metrics", "scale")
SIDES = ("shadow", "reference")
MARKERS = "osD^vP"


def draw(evidence: Evidence, *, panels: dict[str, list[str]], level: Level = 0.01):
    """Return the figure and its numbers: a panel for each side whose training sets are varied.

    `panels`: "shadow" or "reference" -> the audits that stand in it, each at the training-set size
    of that side's cohort. TPR at the FPR `level`, mean over the targets, 95 % intervals for this
    population. Columns: side, audit, label, cohort, training_examples, value, low, high.
    """
    data = pd.DataFrame([row for side in panels for row in _rows(evidence, side, panels, level)])
    data = data.sort_values(["side", "label", "training_examples"], ignore_index=True)
    figure = common.figure(common.PAGE / 2 * len(panels), 2.5)
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, side in zip(grid, panels, strict=True):
        own = data[data["side"] == side]
        for index, label in enumerate(evidence.names):
            _line(axes, own[own["label"] == label], evidence.names[label], index)
        _finish(axes, own, side)
    grid[0].set_ylabel(f"TPR (%) at {percent(level)} FPR")
    grid[0].set_ylim(0, 110 * data["high"].fillna(data["value"]).max())
    grid[0].legend()
    return figure, data


def _rows(evidence, side, panels, level):
    if side not in SIDES:
        raise ValueError(f"panels: {side!r} is not one of {', '.join(SIDES)}")
    unknown = sorted(set(panels[side]) - set(evidence.audits()))
    if unknown:
        raise ValueError(f"panels: {unknown[0]!r} is no audit of this exhibit")
    for audit, label in evidence.pairs():
        if audit in panels[side]:
            result = evidence.result(audit, label)
            cohort = result[f"{side}_cohort"]
            found = asdict(estimate(result, "tpr", level))
            place = {"side": side, "audit": audit, "label": label, "cohort": cohort}
            place["training_examples"] = evidence.scale[cohort]["training_examples"]
            yield place | {key: found[key] for key in ("value", "low", "high")}


def _line(axes, own, name, index):
    look, x, y = common.style(index), own["training_examples"], 100 * own["value"]
    errors = [y - 100 * own["low"], 100 * own["high"] - y]
    axes.errorbar(x, y, errors, fmt="none", ecolor=look["color"], elinewidth=0.8)
    axes.plot(x, y, label=in_figure(name), marker=MARKERS[index % len(MARKERS)], **look)


def _finish(axes, own, side):
    axes.xaxis.set_major_locator(FixedLocator(sorted(own["training_examples"].unique())))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel(f"training examples of a {side} model")
