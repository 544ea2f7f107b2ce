"""One attack's scores of members and of non-members, class by class (shi2024 Fig. 5)."""

from typing import Annotated

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common, panels
from miatlas.exhibits.scored_pairs import judged
from miatlas.exhibits.texts import in_figure
from miatlas.options import between

READS = ("scores", "signals")
QUANTILES = {"low": 0.05, "lower": 0.25, "median": 0.5, "upper": 0.75, "high": 0.95}
MOST = 20  # classes in a figure
KINDS = {"members": ("#D55E00", "o", -0.18), "non-members": ("#0072B2", "s", 0.18)}


def draw(
    evidence: Evidence,
    *,
    classes: list[str] = [],
    heading: str = "",
    level: Annotated[float, between(0.0, 1.0)] = 0.05,
):
    """Return the figure and its numbers: quantiles of the scores of all targets, by class.

    The exhibit names one attack; `heading` is what its score is called. Thick bars hold half of
    the examples, thin ones nine in ten. Dashes: the threshold at which `level` of the class's own
    non-members are called members: where it moves, one for all classes serves few. `classes`:
    names, or numbers as text; default, the first MOST. Columns: class, kind, examples, the
    quantiles, threshold.
    """
    if len(evidence.names) != 1:
        raise ValueError(f"this figure shows one attack, not {len(evidence.names)}")
    ((label, shown),) = evidence.names.items()
    found, names = judged(evidence, [label]), panels.class_names(evidence.signals)
    classes = panels.known(classes or names[:MOST], names)
    label_of = evidence.signals["labels"][found.example]
    rows = []
    for name in classes:
        own = label_of == names.index(name)
        for kind in KINDS:
            scores = found.scores[label][own & (found.member == (kind == "members"))]
            rows.append(
                {"class": name, "kind": kind, "examples": len(scores), **_quantiles(scores)}
            )
        outside = found.scores[label][own & ~found.member]
        threshold = float(np.quantile(outside, 1 - level)) if len(outside) else np.nan
        rows[-1]["threshold"] = rows[-2]["threshold"] = threshold
    table = pd.DataFrame(rows)
    figure = common.figure(max(4.4, 1.2 + 0.52 * len(classes)), 3.0)
    _draw(figure.add_subplot(), table, classes, heading or f"score of {shown}", level)
    return figure, table


def _quantiles(scores):
    if not len(scores):
        return dict.fromkeys(QUANTILES, np.nan)
    return {name: float(np.quantile(scores, at)) for name, at in QUANTILES.items()}


def _draw(axes, table, classes, heading, level):
    for kind, (colour, marker, shift) in KINDS.items():
        own = table[table["kind"] == kind]
        x = np.arange(len(classes)) + shift
        axes.vlines(x, own["low"], own["high"], color=colour, linewidth=0.9)
        axes.vlines(x, own["lower"], own["upper"], color=colour, linewidth=4.0, alpha=0.45)
        look = {"color": colour, "marker": marker, "linestyle": "none", "markersize": 3.5}
        axes.plot(x, own["median"], label=kind, **look)
    cut = table[table["kind"] == "members"]["threshold"]
    ends = np.arange(len(classes))
    name = f"threshold at {100 * level:g} % FPR"
    axes.hlines(cut, ends - 0.4, ends + 0.4, color="0.25", linestyle=(0, (3, 1)), label=name)
    axes.set_xticks(
        ends, [in_figure(c) for c in classes], rotation=90 if len(max(classes, key=len)) > 2 else 0
    )
    axes.set(ylabel=in_figure(heading), xlim=(-0.6, len(classes) - 0.4))
    axes.grid(visible=False, axis="x")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
