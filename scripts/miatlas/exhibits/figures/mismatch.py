"""Targets by shadow models of other training: a matrix, and what wrong guesses cost.

carlini2022 Fig. 11, shi2024 Fig. 12 and 13.
"""

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from miatlas.exhibits import guesses
from miatlas.exhibits.evidence import Evidence, percent
from miatlas.exhibits.figures import common
from miatlas.exhibits.guesses import ALL, CELL, WRONG
from miatlas.exhibits.texts import in_figure
from miatlas.leakage.levels import Level

READS = ("metrics", "scores")
COLOURS = "Blues"
DARK = 0.6  # of the colours: what is written on it is white


def draw(
    evidence: Evidence,
    *,
    level: Level = 0.001,
    trained_as: dict[str, str] = {},
    cohort_names: dict = {},
):
    """Return the figure and its numbers, as `guesses.costs` has them.

    Left: the TPR at the FPR `level`, mean over the targets, with 95 % intervals: a row for each
    target cohort, a column for each shadow cohort, the right guess framed. Right: how much more or
    less the wrong guesses name of the same targets' members, on average, in percentage points.
    `trained_as`: shadow cohorts of their own, by the target cohort whose training they share.

    `cohort_names`: cohort -> the name shown.
    """
    data = guesses.costs(evidence, level, trained_as)
    cells = data[data["kind"] == CELL]
    targets, shadows = guesses.sides(list(zip(cells["target"], cells["shadow"], strict=True)))
    height = 1.1 + 0.45 * (len(targets) + 1)
    figure = common.figure(2.4 + 0.75 * len(shadows) + 2.0, height)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[0.75 * len(shadows), 2.0])
    _matrix(left, cells, targets, shadows, cohort_names)
    left.set_title(f"TPR (%) at {percent(level)} FPR")
    _differences(right, data, targets)
    return figure, data


def _matrix(axes, cells, targets, shadows, names):
    rates = cells.pivot(index="target", columns="shadow", values="tpr")
    rates = 100 * rates.loc[targets, shadows].to_numpy()
    scale = Normalize(0, max(float(np.nanmax(rates)), 1e-9))
    axes.imshow(rates, cmap=COLOURS, norm=scale, aspect="auto")
    for cell in cells.itertuples():
        x, y = shadows.index(cell.shadow), targets.index(cell.target)
        colour = "white" if scale(100 * cell.tpr) > DARK else "black"
        axes.text(x, y, _written(cell), ha="center", va="center", color=colour, fontsize=7)
        if cell.shadow == cell.target:
            frame = {"fill": False, "edgecolor": "black", "linewidth": 1.4}
            axes.add_patch(Rectangle((x - 0.47, y - 0.47), 0.94, 0.94, **frame))
    axes.set_xticks(range(len(shadows)), [in_figure(names.get(c, c)) for c in shadows])
    rows = [*(in_figure(names.get(c, c)) for c in targets), "all"]
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(axis="x", labelrotation=30 if len(shadows) > 3 else 0)
    axes.set(xlabel="shadow models", ylabel="target")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _written(cell):
    value, low, high = (100 * x for x in (cell.tpr, cell.tpr_low, cell.tpr_high))
    return f"{value:.1f}" + ("" if np.isnan(low) else f"\n[{low:.1f}, {high:.1f}]")


def _differences(axes, data, targets):
    """Draw a line for each target cohort, in the matrix's rows, and one below for all of them."""
    own = data[data["kind"].isin([WRONG, ALL]) & data["difference"].notna()]
    for row in own.itertuples():
        y = len(targets) if row.kind == ALL else targets.index(row.target)
        look = {"color": "black" if row.kind == ALL else common.COLOURS[0], "marker": "o"}
        axes.plot(100 * row.difference, y, **look)
        axes.plot(100 * np.array([row.difference_low, row.difference_high]), [y, y],
                  color=look["color"], linewidth=1.2)  # fmt: skip
        axes.text(100 * row.difference, y - 0.2, f"{100 * row.difference:+.1f}", ha="center",
                  fontsize=6.5)  # fmt: skip
    axes.axvline(0, **common.CHANCE)
    axes.set_ylim(len(targets) + 0.5, -0.5)
    axes.tick_params(axis="y", left=False)
    axes.set_title("wrong guesses - right guess")
    axes.set_xlabel("percentage points")
