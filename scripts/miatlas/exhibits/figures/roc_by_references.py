"""ROC curves for each number of shadow models, a panel for each variance (carlini2022 Fig. 17)."""

from typing import Annotated, Literal

import pandas as pd

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common
from miatlas.exhibits.figures.references import sweeps
from miatlas.exhibits.texts import in_figure
from miatlas.options import between


def draw(
    evidence: Evidence,
    *,
    band: Literal["range", "deviation", "none"] = "none",
    floor: Annotated[float, between(1e-9, 0.1)] = 1e-5,
    audit_names: dict = {},
):
    """Return the figure and its numbers: series, references, and the columns of `roc`.

    Darker and wider curves have more shadow models.

    `band`: what is shaded around a line: from the least to the largest TPR of the targets (range),
    a deviation to either side of their mean, or nothing. `floor`: the least FPR and TPR of
    logarithmic axes, where the data resolve it. `audit_names`: audit -> the name shown.
    """
    panels = sweeps(evidence, audit_names)
    figure = common.figure(common.PAGE / 2 * max(len(panels), 1), 3.5)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    tables = []
    for axes, sweep in zip(grid, panels, strict=True):
        tables += _draw_panel(axes, evidence, sweep, band, floor)
    data = pd.concat(tables, ignore_index=True)
    places = data[["audit", "label", "name"]].drop_duplicates()
    curves = [common.Series(*place) for place in places.itertuples(index=False)]
    for axes in grid:
        common.log_axes(axes, data["fpr"].min())
        common.mark_few(axes, evidence, curves)
        axes.legend(loc="lower right", title="shadow models")
    return figure, data


def _draw_panel(axes, evidence, sweep, band, floor):
    tables = []
    for index, (count, result) in enumerate(sweep.points):
        one = common.Series(result["audit"], result["label"], str(count))
        points = common.curve_data(evidence, one, band, floor)
        common.draw_curve(axes, points, one.name, **common.ordered_style(index, len(sweep.points)))
        tables.append(points.assign(series=sweep.name, references=count))
    axes.set_title(in_figure(sweep.name))
    return tables
