"""Which attacks name the same members: a matrix of Jaccard indices, beside what each names."""

import numpy as np

from miatlas.exhibits.evidence import Evidence, percent
from miatlas.exhibits.figures import common
from miatlas.exhibits.overlaps import overlaps
from miatlas.exhibits.texts import in_figure
from miatlas.leakage.levels import Level

READS = ("metrics", "scores")
# Inches: of an attack, of the bars, of the longest name, and of what is written below the matrix.
ROW, BARS, NAMES, BELOW = 0.26, 1.7, 1.7, 1.5
SHARED, ALONE = "#56B4E9", "#D55E00"


def draw(evidence: Evidence, *, level: Level = 0.01):
    """Return the figure and its numbers (`overlaps`): pairs below the diagonal, bars beside.

    `level`: the FPR on other models that thresholds are transferred from. A cell is the Jaccard
    index in percent: of the members that either attack names, how many both do. The bar of an
    attack is the share of the members that it names, with its 95 % interval; dark is what no other
    attack names.
    """
    data, names = overlaps(evidence, level), evidence.names
    side = ROW * len(names)
    wide = max(side, BELOW)
    figure = common.figure(wide + BARS + NAMES + 0.3, side + 0.9)
    widths = {"width_ratios": [wide, BARS]}
    matrix, bars = figure.subplots(1, 2, sharey=True, gridspec_kw=widths)
    _matrix(matrix, data[data["kind"] == "jaccard"], list(names))
    _bars(bars, data, list(names), level)
    matrix.set_yticks(range(len(names)), [in_figure(name) for name in names.values()])
    numbers = [str(number) for number in range(1, len(names) + 1)]
    matrix.set_xticks(range(len(names)), numbers)
    return figure, data


def _matrix(axes, pairs, labels):
    values = np.full((len(labels),) * 2, np.nan)
    for pair in pairs.itertuples():
        row, column = labels.index(pair.second), labels.index(pair.first)
        values[row, column] = np.nan if pair.value is None else pair.value
    axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in zip(*np.nonzero(~np.isnan(values)), strict=True):
        value = values[row, column]
        colour = "white" if value > 0.5 else "black"
        words = {"ha": "center", "va": "center", "fontsize": 5.5, "color": colour}
        axes.text(column, row, f"{100 * value:.0f}", **words)
    for number in range(len(labels)):
        axes.text(number, number, str(number + 1), ha="center", va="center", fontsize=5.5)
    axes.set(xlabel="named by both,\n% of those named by either")
    axes.grid(visible=False)


def _bars(axes, data, labels, level):
    found = {kind: data[data["kind"] == kind].set_index("first") for kind in ("named", "alone")}
    named, alone = (100 * found[kind].loc[labels, "value"].astype(float) for kind in found)
    rows, intervals = np.arange(len(labels)), 100 * found["named"].loc[labels, ["low", "high"]]
    axes.barh(rows, named, color=SHARED, label="with others")
    axes.barh(rows, alone, color=ALONE, label="alone")
    low, high = (intervals[key].astype(float) for key in ("low", "high"))
    errors = [(named - low).fillna(0), (high - named).fillna(0)]
    axes.errorbar(named, rows, xerr=errors, fmt="none", ecolor="0.2", elinewidth=0.7)
    axes.set(xlabel=f"members named (%)\nat {percent(level)} FPR", xlim=(0, None))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handlelength=1.2)
