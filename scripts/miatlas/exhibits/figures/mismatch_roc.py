"""ROC curves: a panel a target cohort, a curve a shadow cohort (carlini2022 Fig. 22-24)."""

from typing import Annotated

import pandas as pd

from miatlas.exhibits import guesses
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common, panels
from miatlas.exhibits.figures.common import Series
from miatlas.exhibits.texts import in_figure
from miatlas.options import between, positive

WIDE = 2.0  # of the line of the right guess


def draw(
    evidence: Evidence,
    *,
    floor: Annotated[float, between(1e-9, 0.1)] = 1e-5,
    columns: Annotated[int, positive] = 3,
    cohort_names: dict = {},
):
    """Return the figure and its numbers: target, shadow, audit, label, name, fpr, tpr, low, high.

    Lines are the pooled curves, the right guess's wider; a shadow cohort has one colour everywhere.
    Axes begin at `floor`, or at the FPR of one false positive where no less is resolved.

    `columns`: how many panels stand side by side. `cohort_names`: cohort -> the name shown.
    """
    results = guesses.by_cohorts(evidence)
    targets, shadows = guesses.sides(results)
    tables = {pair: _curve(evidence, pair, results[pair], floor, cohort_names) for pair in results}
    figure, grid = panels.panels(len(targets), columns)
    lowest = min(table["fpr"].iloc[0] for table in tables.values())
    for axes, target in zip(grid, targets, strict=True):
        for shadow in (name for name in shadows if (target, name) in tables):
            look = common.style(shadows.index(shadow))
            look["linewidth"] = WIDE if shadow == target else 1.0
            table = tables[target, shadow]
            common.draw_curve(axes, table, table["name"].iloc[0], **look)
        common.log_axes(axes, lowest)
        axes.set_title(f"target: {in_figure(cohort_names.get(target, target))}")
    panels.shared_legend(figure, grid)
    for line in figure.legends[0].get_lines():
        line.set_linewidth(1.2)
    return figure, pd.concat(tables.values(), ignore_index=True)


def _curve(evidence, pair, result, floor, names):
    target, shadow = pair
    one = Series(result["audit"], result["label"], names.get(shadow, shadow))
    table = common.curve_data(evidence, one, "none", floor)
    table.insert(0, "target", target)
    table.insert(1, "shadow", shadow)
    return table
