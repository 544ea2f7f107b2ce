"""Test accuracy against the true-positive rate at a low false-positive rate, a point a defence."""

from typing import Literal

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import CANARIES, Evidence, estimate, percent
from miatlas.exhibits.figures import common
from miatlas.exhibits.tables.defences import test_accuracy
from miatlas.exhibits.texts import in_figure
from miatlas.leakage.levels import Level

READS = ("metrics", "scale", "canaries")
MARKERS = "osD^vPX<>*hp"


def draw(
    evidence: Evidence,
    *,
    levels: list[Level] = [0.001, 0.01],
    threshold: Literal["transferred", "hindsight"] = "transferred",
    canaries: bool = False,
    audit_names: dict = {},
):
    """Return the figure and its numbers: a panel for each of `levels`, a point for each audit.

    Of an audit that runs several of the exhibit's attacks, that with the largest TPR at the level.
    `threshold`: that of other targets, as an attacker has it, or the best in hindsight, as papers
    print it. `canaries`: TPR among canaries alone, in place of all examples. Bars: 95 % intervals,
    for this population, and of the mean accuracy over models; open markers: no member was named,
    which a logarithmic axis shows at its left end. Columns: audit, label, name, fpr, test_accuracy,
    tpr, each with low and high.

    `audit_names`: audit -> the name shown.
    """
    pairs = [pair for pair in evidence.pairs() if pair[1].endswith(CANARIES) == canaries]
    if not pairs:
        raise ValueError("there is no result on canaries" if canaries else "there is no result")
    figure = common.figure(2.6 * len(levels) + 2.0, 2.9)
    grid, tables = figure.subplots(1, len(levels), sharey=True, squeeze=False)[0], []
    for axes, level in zip(grid, levels, strict=True):
        rows = [_row(evidence, pair, level, threshold) for pair in pairs]
        table = pd.DataFrame(rows).sort_values("tpr", ascending=False, kind="stable")
        table = table.drop_duplicates("audit")
        order = [audit for audit in evidence.audits() if audit in set(table["audit"])]
        table = table.set_index("audit").loc[order].reset_index()
        table["name"] = [audit_names.get(audit, audit) for audit in order]
        tables.append(table)
        _panel(axes, table, level)
    grid[0].set_ylabel("test accuracy (%)")
    handles, names = grid[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center")
    return figure, pd.concat(tables, ignore_index=True)


def _row(evidence, pair, level, threshold):
    result = evidence.result(*pair)
    tpr = estimate(result, "tpr", level, threshold=threshold)
    accuracy = test_accuracy(evidence, result["target_cohort"])
    if accuracy is None:
        raise ValueError(f"audit {pair[0]}: no accuracy of {result['target_cohort']} is recorded")
    row = {"audit": pair[0], "label": pair[1], "fpr": level}
    for key, found in (("tpr", tpr), ("test_accuracy", accuracy)):
        row |= {key: found.value, f"{key}_low": found.low, f"{key}_high": found.high}
    return row


def _panel(axes, table, level):
    floor = level / 10
    for index, row in enumerate(table.itertuples()):
        colour = common.COLOURS[index % len(common.COLOURS)]
        x, y = 100 * max(row.tpr, floor), 100 * row.test_accuracy
        x_limits = 100 * np.maximum([row.tpr_low, row.tpr_high], floor)
        y_limits = 100 * np.array([row.test_accuracy_low, row.test_accuracy_high])
        for limits, across in ((x_limits, True), (y_limits, False)):
            if np.isfinite(limits).all():
                place = (limits, [y, y]) if across else ([x, x], limits)
                axes.plot(*place, color=colour, linewidth=0.9, zorder=2)
        axes.plot(
            x, y, MARKERS[index % len(MARKERS)], color=colour, label=in_figure(row.name),
            markersize=5, markerfacecolor=colour if row.tpr > floor else "white", zorder=3,
        )  # fmt: skip
    axes.axvline(100 * level, label="chance", **common.CHANCE)
    axes.set(xscale="log", xlim=(80 * floor, 110))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.set_xlabel(f"TPR (%) at {percent(level)} FPR")
