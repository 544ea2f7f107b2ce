"""One attack's scores of members and of non-members (shi2024 Fig. 2)."""

from typing import Annotated

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common, panels, shadows
from miatlas.exhibits.scored_pairs import judged
from miatlas.exhibits.texts import in_figure
from miatlas.options import between, positive

READS = ("scores",)
KINDS = {"OUT": "non-members", "IN": "members"}


def draw(
    evidence: Evidence,
    *,
    heading: str = "",
    bins: Annotated[int, positive] = 60,
    share: Annotated[float, between(0.5, 1.0)] = 0.99,
):
    """Return the figure and its numbers: examples of all targets by their score.

    The exhibit names one attack; `heading` is what its score is called. The axis holds the middle
    `share` of the scores, the outermost bins all that lie beyond. Columns: kind, left, right,
    examples.

    `bins`: of the histogram.
    """
    if len(evidence.names) != 1:
        raise ValueError(f"a histogram shows one attack, not {len(evidence.names)}")
    ((label, name),) = evidence.names.items()
    found = judged(evidence, [label])
    scores = found.scores[label]
    limits = np.linspace(*panels.middle(scores, share, both=True), bins + 1)
    inside = np.clip(scores, limits[0], limits[-1])
    figure = common.figure(common.COLUMN, 2.6)
    axes, tables = figure.add_subplot(), []
    for kind, shown in KINDS.items():
        counts = np.histogram(inside[found.member == (kind == "IN")], limits)[0]
        shadows.bars(axes, counts, limits, kind)
        columns = {"left": limits[:-1], "right": limits[1:], "examples": counts}
        tables.append(pd.DataFrame({"kind": shown, **columns}))
    axes.set(
        xlabel=in_figure(heading or f"score of {name}"), ylabel="examples", xlim=limits[[0, -1]]
    )
    handles = [
        handle for handle, kind in zip(shadows.handles(), reversed(KINDS), strict=True)
        if not handle.set_label(KINDS[kind])
    ]  # fmt: skip
    axes.legend(handles=handles)
    return figure, pd.concat(tables, ignore_index=True)
