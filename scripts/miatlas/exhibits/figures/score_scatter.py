"""Membership score and calibrated score of every example, in five groups (shi2024 Fig. 3)."""

from typing import Annotated

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common, panels
from miatlas.exhibits.scored_pairs import judged
from miatlas.options import nonnegative, positive

READS = ("scores",)
GROUPS = {  # name -> colour, marker; members are open
    "hard-to-predict member": ("#D55E00", "o"),
    "easy-to-predict member": ("#E69F00", "s"),
    "hard-to-calibrate non-member": ("#000000", "x"),
    "easy-to-predict non-member": ("#56B4E9", "+"),
    "hard-to-predict non-member": ("#0072B2", "1"),
}
CUT = {"color": "0.35", "linestyle": (0, (4, 2)), "linewidth": 0.8, "zorder": 3}


def draw(
    evidence: Evidence,
    *,
    membership: str = "loss",
    calibrated: str = "calibrated",
    thresholds: list[float] = [-0.7, 0.7],
    target: Annotated[int, nonnegative] = 0,
    points: Annotated[int, positive] = 1500,
):
    """Return the figure and its numbers: a dot for each example that one target is judged by.

    `membership` and `calibrated` are labels: -loss on the target, and the difference to that on a
    reference model. `thresholds` of the two part the groups: see `group_of`. At most `points` are
    drawn, by lot; the legend counts all. Columns: target, example, member, membership, calibrated,
    group.

    `target`: whose examples are drawn, by its number among the audit's targets.
    """
    found = judged(evidence, [membership, calibrated])
    own = np.flatnonzero(found.target == target)
    if not len(own):
        raise ValueError(f"target {target} was not judged by {membership} and {calibrated}")
    x, y = found.scores[membership][own], found.scores[calibrated][own]
    member = found.member[own]
    table = pd.DataFrame({"target": target, "example": found.example[own], "member": member})
    table = table.assign(membership=x, calibrated=y, group=group_of(x, y, member, thresholds))
    drawn = np.sort(np.random.default_rng(0).permutation(len(table))[:points])
    figure = common.figure(5.4, 3.9)
    axes = figure.add_subplot()
    shares = table["group"].value_counts() / len(table)
    for name, (colour, marker) in reversed(GROUPS.items()):
        dots = table.iloc[drawn][table["group"].iloc[drawn] == name]
        shown = f"{name} ({100 * shares.get(name, 0.0):.1f} %)"
        axes.plot(
            dots["membership"], dots["calibrated"], marker, label=shown, **panels.dots(colour)
        )
    _finish(axes, table, thresholds)
    return figure, table.iloc[drawn].reset_index(drop=True)


def group_of(membership, calibrated, member, thresholds) -> np.ndarray:  # (n,) each -> (n,)
    """Return the name of each example's group.

    Both thresholds cut the plane in four. A calibrated score above its threshold is what training
    does to members, so a non-member there is hard to calibrate. Below it, those with a high
    membership score are easy to predict (the reference model knows them as well); all others are
    hard to predict, members of a high calibrated score among them.
    """
    easy = (membership > thresholds[0]) & (calibrated <= thresholds[1])
    kinds = np.where(easy, "easy-to-predict", "hard-to-predict").astype(object)
    kinds[~member & (calibrated > thresholds[1])] = "hard-to-calibrate"
    return np.where(member, kinds + " member", kinds + " non-member")


def _finish(axes, table, thresholds):
    axes.axvline(thresholds[0], **CUT)
    axes.axhline(thresholds[1], **CUT)
    left, right = panels.middle(table["membership"], 0.995), table["membership"].max()
    low, high = panels.middle(table["calibrated"], 0.995, both=True)
    axes.set_xlim(left - 0.05 * (right - left), right + 0.03 * (right - left))
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    axes.set(xlabel="membership score on the target", ylabel="calibrated membership score")
    handles, names = axes.get_legend_handles_labels()
    axes.figure.legend(
        handles[::-1], names[::-1], loc="outside lower center", ncols=2, markerscale=1.6
    )
