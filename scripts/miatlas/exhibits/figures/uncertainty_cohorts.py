"""Achieved advantage and bounds in families of cohorts, each moving a factor (zhu2025 Fig. 3)."""

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common, disclosed
from miatlas.exhibits.texts import in_figure

READS = ("bounds",)
SYMBOLS = {"calibration": "\\Delta", "aleatoric": "A", "epistemic": "E"}
KEYS = {"name", "levels", "factor", "logarithmic"}
FLOOR = {"linestyle": (0, (1, 1.4)), "linewidth": 1.0, "alpha": 0.8}


def draw(
    evidence: Evidence,
    *,
    families: list[dict],
    floor: bool = True,
):
    """Return the figure and its numbers, a row for each family, cohort and disclosure.

    `families`: mappings with `name` (the x axis), `levels` (cohort -> its place on it, a number or
    a word), and perhaps `factor` (aleatoric, calibration or epistemic: the cohort's measured mean,
    written below the level) and `logarithmic` (the axis). achieved: TPR - FPR of the
    likelihood-ratio test at 0, by models that it was not fitted to, the mean over the examples with
    its interval (`disclosed.achieved`); bound: the mean of the examples' tightest bounds, nan and
    said so where it is not estimated; `floor`: draw the mean of what fits to as many models claim
    where there is nothing.
    """
    families = [_checked(family) for family in families]
    tables = [_table(evidence, family) for family in families]
    figure = common.figure(max(common.COLUMN, min(2.4 * len(tables), 9.0)), 3.0)
    grid = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    for axes, family, table in zip(grid, families, tables, strict=True):
        _panel(axes, table, floor)
        _axis(axes, family, table)
    grid[0].set_ylabel("advantage")
    low = min(np.nanmin([table["low"].min(), table["achieved"].min()]) for table in tables)
    grid[0].set_ylim(min(-0.02, low - 0.02), 1.02)
    data = pd.concat(tables, ignore_index=True)
    ncols = 3 if len(tables) > 2 else 2  # what fits above the panels
    figure.legend(handles=_keys(data, floor), loc="outside upper center", ncols=ncols)
    return figure, data


def _checked(family):
    if not {"name", "levels"} <= set(family) <= KEYS:
        raise ValueError(f"families: {sorted(family)} should be of {', '.join(sorted(KEYS))}")
    if family.get("factor", "aleatoric") not in SYMBOLS:
        raise ValueError(f"families: factor {family['factor']!r} is none of {', '.join(SYMBOLS)}")
    return family


def _table(evidence, family):
    rows, words = [], [level for level in family["levels"].values() if isinstance(level, str)]
    for place, (cohort, level) in enumerate(family["levels"].items()):
        bounds = disclosed.bounds_of(evidence, cohort)
        for name in disclosed.NAMES:
            found = disclosed.achieved(bounds, name)
            place_of = {"family": family["name"], "cohort": cohort, "level": level}
            of_bounds = {k: disclosed.mean(bounds, f"{name}_{k}") for k in ("bound", "optimum")}
            floor = bounds[f"{name}_floor"].mean() if f"{name}_floor" in bounds else float("nan")
            rows.append({
                **place_of, "x": place if words else level, "disclosure": name,
                "achieved": found.value, "low": found.low, "high": found.high, **of_bounds,
                "floor": floor, **disclosed.factors_of(bounds),
            })  # fmt: skip
    return pd.DataFrame(rows).sort_values("x", kind="stable", ignore_index=True)


def _panel(axes, table, floor):
    for name, own in table.groupby("disclosure", sort=False):
        look = disclosed.LOOKS[name]
        axes.plot(own["x"], own["bound"], color=look["color"], **disclosed.BOUND)
        if floor:
            axes.plot(own["x"], own["floor"], color=look["color"], **FLOOR)
        axes.plot(own["x"], own["achieved"], linewidth=1.5, **look)
        known = own.dropna(subset=["low"])
        errors = [known["achieved"] - known["low"], known["high"] - known["achieved"]]
        axes.errorbar(
            known["x"], known["achieved"], errors, fmt="none", ecolor=look["color"], elinewidth=0.8
        )
    disclosed.say_untold(axes, table.loc[table["bound"].isna(), "disclosure"].unique())


def _axis(axes, family, table):
    points = table.drop_duplicates("x")
    if family.get("logarithmic"):
        axes.set_xscale("log")
    texts = [in_figure(x) if isinstance(x, str) else f"{x:g}" for x in points["level"]]
    if factor := family.get("factor"):
        symbol = SYMBOLS[factor]
        values = points[factor]
        texts = [f"{t}\n${symbol}$ {v:.2g}" for t, v in zip(texts, values, strict=True)]
    axes.xaxis.set_major_locator(FixedLocator(points["x"].tolist()))
    axes.xaxis.set_major_formatter(FixedFormatter(texts))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.1)
    axes.tick_params(axis="x", labelsize=6.5)
    axes.set_xlabel(in_figure(family["name"]))


def _keys(data, floor):
    kinds = [disclosed.key("achieved"), disclosed.key("bound", **disclosed.BOUND)]
    kinds += [disclosed.key("claimed of noise", **FLOOR)] if floor else []
    present = [name for name in disclosed.NAMES if name in set(data["disclosure"])]
    return disclosed.keys_of(present) + kinds
