"""TPR of easy-to-predict and of hard-to-predict examples (shi2024 Fig. 9)."""

from typing import Annotated, Literal

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import Evidence, percent
from miatlas.exhibits.figures import common, panels
from miatlas.exhibits.scored_pairs import by_target_cohort, judged
from miatlas.exhibits.texts import in_figure
from miatlas.leakage.hindsight import tpr_at_fpr
from miatlas.leakage.intervals import clopper_pearson
from miatlas.leakage.roc import roc
from miatlas.options import between, positive

READS = ("metrics", "scores")
HATCHES = ["", "////", "....", "xxxx", "\\\\\\\\", "++"]


def draw(
    evidence: Evidence,
    *,
    membership: str = "loss",
    calibrated: str = "calibrated",
    hidden: list[str] = ["calibrated"],
    threshold: float = -10.0,
    thresholds: dict = {},
    level: Annotated[float, between(0.0, 1.0)] = 0.01,
    cut: Literal["own", "common"] = "own",
    cohort_names: dict = {},
    columns: Annotated[int, positive] = 3,
):
    """Return the figure and its numbers: a panel for each target cohort, a bar for each attack.

    An example is easy to predict where the reference model's membership score, `membership` minus
    `calibrated` (two labels), is above `threshold` (`thresholds`: target cohort -> its own). TPR at
    an FPR of `level`, all targets together, of the group's own members and non-members, or with the
    threshold of all examples (`cut`: common); intervals take pairs of target and example as
    independent: where the search for a threshold is the group's own, they know of it. `hidden`:
    labels without a bar. Empty bars: the non-members are too few for `level`, the TPR is that at no
    false positive. Columns: cohort, audit, label, name, group, members, nonmembers, tpr, low,
    high, below_resolution.

    `level`: the FPR at which the TPR is read. `cohort_names`: cohort -> the name shown. `columns`:
    how many panels stand side by side.
    """
    groups = by_target_cohort(evidence)
    unknown = sorted(set(thresholds) - set(groups))
    if unknown:
        raise ValueError(f"thresholds: no target cohort {unknown[0]!r}; there is: {list(groups)}")
    figure, grid = panels.panels(len(groups), columns)
    tables = []
    for axes, (cohort, pairs) in zip(grid, groups.items(), strict=True):
        least = thresholds.get(cohort, threshold)
        found = judged(evidence, [label for _, label in pairs], {audit for audit, _ in pairs})
        easy = found.scores[membership] - found.scores[calibrated] > least
        rows = [
            {"cohort": cohort, "audit": audit, "label": label, "name": evidence.names[label]}
            | {"group": group}
            | _tpr(found.scores[label], found.member, kind, level, cut)
            for group, kind in (("easy", easy), ("hard", ~easy))
            for audit, label in pairs
            if label not in hidden
        ]
        tables.append(pd.DataFrame(rows))
        _panel(axes, tables[-1], cohort_names.get(cohort, cohort), level)
    figure.supylabel(f"TPR (%) at {percent(level)} FPR", fontsize=8.5)
    panels.shared_legend(figure, grid)
    return figure, pd.concat(tables, ignore_index=True)


def _tpr(scores, member, kind, level, cut):
    """Return the TPR within one group of examples; nan without members or without others."""
    members, others = int((member & kind).sum()), int((~member & kind).sum())
    sizes = {"members": members, "nonmembers": others}
    if not members or (cut == "own" and not others):
        nothing = dict.fromkeys(("tpr", "low", "high"), np.nan)
        return {**sizes, **nothing, "below_resolution": True}
    if cut == "own":
        found = tpr_at_fpr(roc(scores[kind], member[kind]), level)
        return {**sizes, **{key: found[key] for key in ("tpr", "low", "high", "below_resolution")}}
    hits = int((scores[member & kind] >= threshold_of(scores, member, level)).sum())
    low, high = clopper_pearson(hits, members)
    coarse = level * (~member).sum() < 1
    return {**sizes, "tpr": hits / members, "low": low, "high": high, "below_resolution": coarse}


def threshold_of(scores, member, level) -> float:
    """Return the lowest score that is called a member at an FPR of at most `level`."""
    found = tpr_at_fpr(roc(scores, member), level)
    positives = found["true_positives"] + found["false_positives"]
    return float(np.sort(scores)[::-1][positives - 1]) if positives else float("inf")


def _panel(axes, table, title, level):
    labels = list(dict.fromkeys(table["label"]))
    width = 0.8 / len(labels)
    for index, label in enumerate(labels):
        own = table[table["label"] == label]
        x = np.arange(len(own)) + (index - (len(labels) - 1) / 2) * width
        y, look = 100 * own["tpr"], common.style(index)
        reach = np.array([y - 100 * own["low"], 100 * own["high"] - y]).clip(min=0)
        hatch = HATCHES[index % len(HATCHES)]
        bars = {"facecolor": (look["color"], 0.45), "edgecolor": look["color"], "hatch": hatch}
        drawn = axes.bar(x, y, 0.9 * width, label=in_figure(own["name"].iloc[0]), **bars)
        for bar, empty in zip(drawn, own["below_resolution"], strict=True):
            bar.set(**({"facecolor": "none", "hatch": "", "linestyle": ":"} if empty else {}))
        axes.errorbar(x, y, reach, fmt="none", ecolor="0.2", elinewidth=0.7, capsize=1.5)
    axes.axhline(100 * level, label="chance", **common.CHANCE)
    counts = table.groupby("group", sort=False)["members"].first()
    names = [f"{group} to predict\n{count:,} members" for group, count in counts.items()]
    axes.set_xticks(np.arange(len(names)), names, fontsize=6.5)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_title(in_figure(title))
    axes.grid(visible=False, axis="x")
