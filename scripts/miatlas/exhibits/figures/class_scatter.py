"""Membership score and calibrated score of the examples of some classes (shi2024 Fig. 1)."""

from typing import Annotated

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common, panels
from miatlas.exhibits.scored_pairs import judged
from miatlas.exhibits.texts import in_figure
from miatlas.leakage.roc import roc
from miatlas.options import nonnegative, positive

READS = ("scores", "signals")
KINDS = {"non-member": ("#0072B2", "+"), "member": ("#D55E00", "o")}
CUT = {"color": "0.35", "linestyle": (0, (4, 2)), "linewidth": 0.9, "zorder": 3}


def draw(
    evidence: Evidence,
    *,
    classes: list[str] = [],
    membership: str = "loss",
    calibrated: str = "calibrated",
    target: Annotated[int, nonnegative] = 0,
    points: Annotated[int, positive] = 500,
):
    """Return the figure and its numbers: a panel for each class, a dot for each of its examples.

    `membership` and `calibrated` are labels: -loss on the target, and the difference to that on a
    reference model. Dashed: the threshold on the calibrated score that is best for the class.
    `classes`: names, or numbers as text; default, the first two. At most `points` of a class are
    drawn, by lot. Columns: class, target, example, member, membership, calibrated, threshold.

    `target`: whose examples are drawn, by its number among the audit's targets.
    """
    found = judged(evidence, [membership, calibrated])
    labels, names = evidence.signals["labels"], panels.class_names(evidence.signals)
    classes = panels.known(classes or names[:2], names)
    figure = common.figure(1.1 + 2.5 * len(classes), 2.9)
    grid = figure.subplots(1, len(classes), squeeze=False, sharex=True, sharey=True)[0]
    tables = []
    for axes, name in zip(grid, classes, strict=True):
        own = (found.target == target) & (labels[found.example] == names.index(name))
        if not own.any():
            raise ValueError(f"classes: target {target} was judged by no example of {name}")
        table = pd.DataFrame({"class": name, "target": target, "example": found.example[own]})
        table = table.assign(member=found.member[own], membership=found.scores[membership][own])
        table = table.assign(calibrated=found.scores[calibrated][own])
        table["threshold"] = best(table["calibrated"].to_numpy(), table["member"].to_numpy())
        drawn = np.sort(np.random.default_rng(0).permutation(len(table))[:points])
        tables.append(table.iloc[drawn])
        _panel(axes, tables[-1], f"{name} ({len(table):,} examples)")
    table = pd.concat(tables, ignore_index=True)
    grid[0].set_ylabel("calibrated membership score")
    grid[0].set_ylim(*panels.middle(table["calibrated"], 0.998, both=True))
    grid[0].set_xlim(panels.middle(table["membership"], 0.998), 0.5)
    figure.supxlabel("membership score on the target", fontsize=8.5)
    figure.legend(
        *grid[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, markerscale=1.4
    )
    return figure, table


def best(scores, member) -> float:
    """Return the threshold of the largest balanced accuracy; nan without members or without others.

    It lies half-way between the lowest score that is called a member and the next one below.
    """
    if member.all() or not member.any():
        return float("nan")
    curve = roc(scores, member)
    gain = curve.tpr - curve.fpr
    positives = (curve.true_positives + curve.false_positives)[int(gain.argmax())]
    ordered = np.sort(scores)[::-1]
    above = ordered[max(positives - 1, 0)]
    below = ordered[min(positives, len(ordered) - 1)]
    return float((above + below) / 2)


def _panel(axes, table, title):
    for kind, (colour, marker) in KINDS.items():
        dots = table[table["member"] == (kind == "member")]
        axes.plot(dots["membership"], dots["calibrated"], marker, label=kind, **panels.dots(colour))
    axes.axhline(table["threshold"].iloc[0], label="best threshold", **CUT)
    axes.set_title(in_figure(title))
