"""Each example's bound against the advantage that an attack achieves on it (zhu2025)."""

from typing import Annotated, Literal

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, LogNorm

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common, disclosed
from miatlas.exhibits.texts import in_figure
from miatlas.options import positive

READS = ("bounds",)
GREYS = LinearSegmentedColormap.from_list("greys", ["0.85", "0.1"])  # one example is seen
XLABELS = {"bound": "bound", "optimum": "largest advantage"}


def draw(
    evidence: Evidence,
    *,
    against: Literal["bound", "optimum"] = "bound",
    cells: Annotated[int, positive] = 28,
    groups: Annotated[int, positive] = 8,
    cohort_names: dict = {},
):
    """Return the figure and its numbers: cohort, disclosure, example, x, achieved, low, high.

    A row of panels for each cohort, a panel for each disclosure; darker cells hold more examples.
    Examples whose bound is not estimated are counted in the panel.
    achieved: TPR - FPR of the likelihood-ratio test at 0, by models that it was not fitted to:
    negative half the time where there is nothing to find. Dots: means of `groups` equal parts of
    the examples by their bound, with 95 % intervals; no mean should be above the diagonal.

    `against`: what is on the x axis: the tightest bound, or the largest advantage between the
    fitted laws (optimum). `cells`: how many hexagons an axis is cut into. `cohort_names`: cohort ->
    the name shown.
    """
    names = list(disclosed.NAMES)
    tables = {cohort: _table(evidence, cohort, against) for cohort in evidence.bounds}
    if not tables:
        raise ValueError("there are no bounds to show")
    figure = common.figure(common.PAGE, 2.5 * len(tables) + 0.2)
    grid = figure.subplots(len(tables), len(names), sharex=True, sharey=True, squeeze=False)
    panels = [
        (axes, table[table["disclosure"] == name])
        for row, table in zip(grid, tables.values(), strict=True)
        for axes, name in zip(row, names, strict=True)
    ]
    cells_drawn = [_panel(axes, own, cells, groups) for axes, own in panels]
    for row, cohort in zip(grid, tables, strict=True):
        _say_missing(row, evidence.bounds[cohort], against)
    most = max((drawn.get_array().max() for drawn in cells_drawn if drawn is not None), default=1)
    for drawn in cells_drawn:
        if drawn is not None:
            drawn.set_norm(LogNorm(1, max(most, 2)))
    _finish(figure, grid, cells_drawn, against, [cohort_names.get(c, c) for c in tables])
    return figure, pd.concat(tables.values(), ignore_index=True)


def _table(evidence, cohort, against):
    bounds, parts = disclosed.bounds_of(evidence, cohort), []
    for name in disclosed.NAMES:
        keys = {"x": against, "achieved": "achieved", "low": "low", "high": "high"}
        columns = {key: bounds[f"{name}_{column}"] for key, column in keys.items()}
        place = {"cohort": cohort, "disclosure": name, "example": bounds["example"]}
        parts.append(pd.DataFrame({**place, **columns}).dropna(subset=["x", "achieved"]))
    return pd.concat(parts, ignore_index=True)


def _panel(axes, own, cells, groups):
    axes.plot([0, 1], [0, 1], **common.CHANCE)
    axes.axhline(0, **common.CHANCE)
    if own.empty:
        return None
    drawn = axes.hexbin(
        own["x"], own["achieved"], gridsize=(cells, cells), extent=(0, 1, -1, 1), mincnt=1,
        cmap=GREYS, norm=LogNorm(), linewidths=0.1, zorder=1,
    )  # fmt: skip
    look = disclosed.LOOKS[own["disclosure"].iloc[0]]
    x, mean, error = _means(own, groups)
    reach = np.minimum(1.96 * error, [1.0 + mean, 1.0 - mean])  # an advantage is in [-1, 1]
    axes.errorbar(x, mean, reach, linewidth=1.2, zorder=3, **look)
    return drawn


def _say_missing(row, bounds, against):
    for axes, name in zip(row, disclosed.NAMES, strict=True):
        if lost := int(bounds[f"{name}_{against}"].isna().sum()):
            text = f"not estimated: {lost:,} of {len(bounds):,}"
            axes.text(0.97, 0.03, text, transform=axes.transAxes, ha="right", fontsize=6.5)


def _means(own, groups):
    """Return x, mean and its standard error of equal parts of the examples in the order of x."""
    ordered = own.sort_values("x", kind="stable")
    rows = []
    for x, values in zip(
        np.array_split(ordered["x"], groups), np.array_split(ordered["achieved"], groups),
        strict=True,
    ):  # fmt: skip
        if len(x):
            error = values.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else 0.0
            rows.append((x.mean(), values.mean(), error))
    return np.array(rows).T


def _finish(figure, grid, cells_drawn, against, cohorts):
    for axes, name in zip(grid[0], disclosed.NAMES, strict=True):
        axes.set_title(disclosed.NAMES[name])
    for axes in grid[-1]:
        axes.set_xlabel(XLABELS[against])
    for axes, cohort in zip(grid[:, 0], cohorts, strict=True):
        prefix = f"{in_figure(cohort)}\n" if len(cohorts) > 1 else ""
        axes.set_ylabel(f"{prefix}achieved advantage")
        axes.set(xlim=(-0.02, 1.02), ylim=(-1.02, 1.02))
    drawn = next((one for one in cells_drawn if one is not None), None)
    if drawn is not None:
        figure.colorbar(drawn, ax=grid, label="examples", pad=0.01, aspect=30)
