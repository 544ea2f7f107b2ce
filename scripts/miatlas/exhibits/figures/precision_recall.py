"""Precision against recall, a panel for each target cohort (shi2024 Fig. 8)."""

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
):
    """Return the figure and its numbers: all targets under one threshold, a line for each attack.

    Audits of one target cohort share a panel. Dashed: the share of members, the precision of
    guessing. Lines begin where an attack calls its first pair a member: at a recall of 1/members,
    precision is 0 or 1 and says little. Columns: cohort, audit, label, name, recall, precision,
    chance.
    """
    groups = by_target_cohort(evidence)
    figure, grid = panels.panels(len(groups), columns)
    tables = []
    for axes, (cohort, pairs) in zip(grid, groups.items(), strict=True):
        share = _share(evidence.scores[pairs[0]])
        for audit, label in pairs:
            table = _curve(evidence.scores[audit, label])
            look = common.style(list(evidence.names).index(label))
            axes.plot(
                table["recall"], table["precision"], label=in_figure(evidence.names[label]), **look
            )
            place = {"cohort": cohort, "audit": audit, "label": label}
            tables.append(table.assign(**place, name=evidence.names[label], chance=share))
        axes.axhline(share, label="chance", **common.CHANCE)
        axes.set(xlim=(0, 1), ylim=(min(0.9 * share, 0.45), 1.02))
        axes.set_title(in_figure(cohort_names.get(cohort, cohort)))
    figure.supxlabel("recall", fontsize=8.5)
    figure.supylabel("precision", fontsize=8.5)
    panels.shared_legend(figure, grid)
    order = ["cohort", "audit", "label", "name", "recall", "precision", "chance"]
    return figure, pd.concat(tables, ignore_index=True)[order]


def _curve(run) -> pd.DataFrame:
    table = precision_recall_table(run["scores"], run["member"], run["evaluated"], run["targets"])
    return table.loc[table["target"] == POOLED, ["recall", "precision"]]


def _share(run) -> float:
    return float(np.mean(run["member"][run["evaluated"]]))
