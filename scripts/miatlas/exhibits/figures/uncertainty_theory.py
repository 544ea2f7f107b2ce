"""Advantage and bounds against each factor, from theory alone (zhu2025 Fig. 3)."""

from typing import Annotated

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from miatlas.bounds import disclosures, factors, limits
from miatlas.bounds.divergences import beta_of
from miatlas.exhibits.figures import common, disclosed
from miatlas.options import between, positive

READS = ()
XLABELS = {
    "calibration": "relative calibration error $\\Delta$",
    "aleatoric": "aleatoric uncertainty $A$",
    "epistemic": "epistemic uncertainty $E$",
}
SYMBOLS = {"calibration": "\\Delta", "aleatoric": "A", "epistemic": "E"}
MARGIN = 0.02  # of a factor's range, left out at either end


def draw(
    evidence,
    *,
    classes: Annotated[int, positive] = 10,
    aleatoric: Annotated[float, between(0.0, 1.0)] = 0.3,
    calibration: Annotated[float, between(0.0, 10.0)] = 0.2,
    epistemic: Annotated[float, between(0.0, 1.0)] = 0.2,
    threshold: Annotated[float, between(0.0, 1.0)] = 0.2,
    coverage: Annotated[float, between(0.0, 1.0)] | None = None,
    points: Annotated[int, positive] = 25,
    draws: Annotated[int, positive] = 20000,
):
    """Return the figure and its numbers: factor, value, disclosure, optimum, error, bound, name.

    A panel for each factor, the two others being as given; the range is that where a mean
    confidence is a probability, A > Δ / (1 + Δ). optimum: the advantage of the best test; bound:
    the tightest of `limits.NAMES`. The decision set's are from `draws` vectors of either law; with
    a `coverage`, its threshold is the one with which so many sets of OUT models hold the true
    label, instead of the same all along.

    `classes`: how many the models tell apart. `aleatoric`: A: one minus the mean confidence in the
    true label of models that did not train on the example. `calibration`: Δ: by which share models
    that did are surer of it. `epistemic`: E: how far models differ from each other, from 0 to 1.
    `threshold`: a label is in the decision set if its confidence is at least this. `points`: how
    many values of a factor are computed.
    """
    point = {"calibration": calibration, "aleatoric": aleatoric, "epistemic": epistemic}
    ranges, cut = _ranges(point, classes), (threshold, coverage)
    tables = [
        _table(factor, point, np.linspace(*ranges[factor], points), classes, cut, draws)
        for factor in XLABELS
    ]
    figure = common.figure(common.PAGE, 2.75)
    for axes, factor, table in zip(
        figure.subplots(1, 3, sharey=True), XLABELS, tables, strict=True
    ):
        _panel(axes, table, factor, point)
    figure.axes[0].set_ylabel("advantage")
    kinds = [disclosed.key("largest advantage"), disclosed.key("bound", **disclosed.BOUND)]
    handles = disclosed.keys_of(disclosed.NAMES) + kinds
    figure.legend(
        handles=handles, loc="outside upper center", ncols=5, columnspacing=1.0, handlelength=2
    )
    return figure, pd.concat(tables, ignore_index=True)


def _ranges(point, classes):
    sure = point["calibration"] / (1.0 + point["calibration"])
    ends = {
        "calibration": (0.0, point["aleatoric"] / (1.0 - point["aleatoric"])),
        "aleatoric": (sure, 1.0 - 1.0 / classes),
        "epistemic": (0.0, 1.0),
    }
    inner = {f: (low + MARGIN * (high - low), high - MARGIN * (high - low))
             for f, (low, high) in ends.items()}  # fmt: skip
    return inner | {"calibration": (0.0, inner["calibration"][1])}


def _table(factor, point, values, classes, cut, draws):
    laws = factors.laws(classes, **point | {factor: values})
    labels = np.zeros(len(values), int)
    found = {
        "cv": disclosures.confidence_vector(*laws),
        "tlc": disclosures.true_label_confidence(*laws, labels),
        "ds": _sets(*laws, *cut, draws),
    }
    tables = [
        pd.DataFrame({
            "factor": factor, "value": values, "disclosure": name, "optimum": limit.advantage,
            "error": limit.error, "bound": limit.bound,
            "name": np.array(limits.NAMES)[limit.name],
        })
        for name, limit in found.items()
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def _sets(alpha_in, alpha_out, threshold, coverage, draws):
    """Return the limit of decision sets, at every point by the same draws: a smooth curve."""
    laws = beta_of(alpha_out, np.zeros(len(alpha_out), int))
    chosen = threshold if coverage is None else betaincinv(*laws.T, 1.0 - coverage)
    parts = [
        disclosures.decision_set(a[None], b[None], cut, [np.random.default_rng(0)], draws, label=0)
        for a, b, cut in zip(alpha_in, alpha_out, np.broadcast_to(chosen, len(laws)), strict=True)
    ]
    columns = ("advantage", "error", "bound", "name")
    found = {c: np.concatenate([getattr(part, c) for part in parts]) for c in columns}
    return disclosures.Limit(divergences=None, **found)


def _panel(axes, table, factor, point):
    for name, own in table.groupby("disclosure", sort=False):
        look = disclosed.LOOKS[name]
        every = max(len(own) // 6, 1)
        axes.plot(own["value"], own["optimum"], linewidth=1.5, markevery=every, **look)
        axes.plot(own["value"], own["bound"], color=look["color"], **disclosed.BOUND)
    disclosed.say_untold(axes, table.loc[table["optimum"].isna(), "disclosure"].unique())
    others = ", ".join(f"${SYMBOLS[f]} = {x:g}$" for f, x in point.items() if f != factor)
    axes.set_title(others, fontsize=8)
    axes.set(xlabel=XLABELS[factor], ylim=(-0.02, 1.02), xlim=(0, table["value"].max() * 1.02))
