"""Two attacks' alphas of the same members, example by example (ye2022 Fig. 4)."""

from typing import Annotated, Literal

import numpy as np
import pandas as pd

from miatlas.exhibits.alphas import verdicts
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common
from miatlas.exhibits.texts import in_figure
from miatlas.options import between, positive

READS = ("scores",)
GUESSES = {  # column of the numbers -> (the first says member, the second says member)
    "both": (True, True),
    "first_only": (True, False),
    "second_only": (False, True),
    "neither": (False, False),
}


def draw(
    evidence: Evidence,
    *,
    pairs: list[list] = [],
    level: Annotated[float, between(0.0, 1.0)] = 0.3,
    of: Literal["members", "non-members"] = "members",
    points: Annotated[int, positive] = 1000,
):
    """Return the figure and its numbers: a panel for each pair of labels, a dot for each example.

    Coordinates are the alphas of the two attacks: the smaller, the surer the attack is of a member.
    (The paper plots loss minus threshold at one alpha, whose sign says whether alpha ≤ `level`.)
    Lines stand at `level`; the shares above a panel say who guesses "member", of all examples of
    that kind; at most `points` are drawn, by lot. `pairs`: default, the first two attacks, the next
    two, ...
    Columns: first, second, target, example, alpha_first, alpha_second, and the four shares.

    `of`: whose alphas are drawn, members' or non-members'.
    """
    found, names = verdicts(evidence), evidence.names
    pairs = _checked(pairs or list(zip(*[iter(names)] * 2, strict=False)), names)
    kind = np.flatnonzero(found.member == (of == "members"))
    if not len(kind):
        raise ValueError(f"there are no {of} among the examples that all attacks judged")
    shown = np.sort(np.random.default_rng(0).permutation(kind)[:points])
    figure = common.figure(common.PAGE / 2 * len(pairs), 3.5)
    grid = figure.subplots(1, len(pairs), squeeze=False)[0]
    tables = []
    for axes, (first, second) in zip(grid, pairs, strict=True):
        x, y = found.alphas[first], found.alphas[second]
        table = {"first": first, "second": second, "target": found.target[shown]}
        table |= {
            "example": found.example[shown],
            "alpha_first": x[shown],
            "alpha_second": y[shown],
        }
        shares = _shares(x[kind] <= level, y[kind] <= level)
        _panel(axes, x[shown], y[shown], level)
        axes.set_title(in_figure(_said(shares, names[first], names[second])), fontsize=7.5)
        axes.set_xlabel(f"α of {in_figure(names[first])}")
        axes.set_ylabel(f"α of {in_figure(names[second])}")
        tables.append(pd.DataFrame({**table, **shares}))
    figure.suptitle(
        f"{len(shown):,} of {len(kind):,} {of}; guessed members at α = {level:g}",
        fontsize=8,
    )
    return figure, pd.concat(tables, ignore_index=True)


def _checked(pairs, names):
    if not pairs:
        raise ValueError("a comparison needs two attacks")
    for pair in pairs:
        if len(pair) != 2 or not set(pair) <= set(names):
            raise ValueError(f"pairs: {pair!r} is not two of the labels {', '.join(names)}")
    return pairs


def _shares(first, second):
    return {name: float(((first == a) & (second == b)).mean()) for name, (a, b) in GUESSES.items()}


def _said(shares, first, second):
    """Return the shares in words; an attack is called what stands before the colon of its name."""
    first, second = (f"{name.split(':')[0]} only" for name in (first, second))
    words = {"both": "both", "first_only": first, "second_only": second, "neither": "neither"}
    return ", ".join(f"{words[name]} {100 * share:.0f} %" for name, share in shares.items())


def _panel(axes, x, y, level):
    axes.plot([0, 1], [0, 1], **common.CHANCE)
    axes.plot(x, y, ".", color="#0072B2", alpha=0.35, markersize=3.5, markeredgewidth=0)
    for line in (axes.axvline, axes.axhline):
        line(level, color="#D55E00", linewidth=0.9)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
