"""Precision against recall, a panel for each target cohort (shi2024 Fig. 8), or one (Fig. 10b)."""

from itertools import chain
from typing import Annotated

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common, panels
from miatlas.exhibits.scored_pairs import by_target_cohort
from miatlas.exhibits.texts import in_figure
from miatlas.leakage.metrics import POOLED, precision_recall_table
from miatlas.options import positive

READS = ("metrics", "scores")


def draw(
    evidence: Evidence,
    *,
    cohort_names: dict = {},
    columns: Annotated[int, positive] = 3,
    together: bool = False,
):
    """Return the figure and its numbers: all targets under one threshold, a line for each attack.

    Audits of one target cohort share a panel. `together`: so do all audits, whose lines are then
    named by their cohorts; `columns` of panels. Dashed: the share of members, the precision of
    guessing. Lines begin where an attack calls its first pair a member: at a recall of 1/members,
    precision is 0 or 1 and says little. Columns: cohort, audit, label, name, recall, precision,
    chance.

    `cohort_names`: cohort -> the name shown. `columns`: how many panels stand side by side.
    """
    groups = by_target_cohort(evidence)
    own = [[(cohort, *pair) for pair in pairs] for cohort, pairs in groups.items()]
    shown = [list(chain(*own))] if together else own
    figure, grid = panels.panels(len(shown), columns)
    tables = []
    for axes, curves in zip(grid, shown, strict=True):
        cohort, *first = curves[0]
        share = _share(evidence.scores[tuple(first)])
        for index, place in enumerate(curves):
            table = _curve(evidence, place, cohort_names, together)
            look = common.style(index if together else list(evidence.names).index(place[-1]))
            name = in_figure(table["name"].iloc[0])
            axes.plot(table["recall"], table["precision"], label=name, **look)
            tables.append(table)
        axes.axhline(share, label="chance", **common.CHANCE)
        axes.set(xlim=(0, 1), ylim=(min(0.9 * share, 0.45), 1.02))
        axes.set_title("" if together else in_figure(cohort_names.get(cohort, cohort)))
    figure.supxlabel("recall", fontsize=8.5)
    figure.supylabel("precision", fontsize=8.5)
    panels.shared_legend(figure, grid)
    return figure, pd.concat(tables, ignore_index=True)


def _curve(evidence, place, cohort_names, together) -> pd.DataFrame:
    """Return one line: `place` is its cohort, audit and label."""
    cohort, audit, label = place
    run, name = evidence.scores[audit, label], evidence.names[label]
    model = cohort_names.get(cohort, cohort)
    several = len(evidence.names) > 1
    name = (f"{name}, {model}" if several else model) if together else name
    table = precision_recall_table(run["scores"], run["member"], run["evaluated"], run["targets"])
    table = table.loc[table["target"] == POOLED, ["recall", "precision"]]
    table = table.assign(cohort=cohort, audit=audit, label=label, name=name, chance=_share(run))
    return table[["cohort", "audit", "label", "name", "recall", "precision", "chance"]]


def _share(run) -> float:
    return float(np.mean(run["member"][run["evaluated"]]))
