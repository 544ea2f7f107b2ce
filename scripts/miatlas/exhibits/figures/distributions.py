"""Confidence, loss and logit with and without the example in training (carlini2022 Fig. 4)."""

from typing import Annotated, Literal

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common, shadows
from miatlas.exhibits.texts import in_figure
from miatlas.options import between, positive
from miatlas.signals.statistics import confidence_from_phi, loss_from_phi

READS = ("signals",)
PANELS = {
    "confidence": ("confidence $p_y$", confidence_from_phi),
    "loss": ("loss $-\\log\\,p_y$", loss_from_phi),
    "logit": ("logit $\\log\\,p_y/(1-p_y)$", lambda phi: np.asarray(phi, dtype=np.float64)),
}
STANDARD_RANGE = 4.0  # deviations shown where examples are pooled


def draw(
    evidence: Evidence,
    *,
    examples: Literal["one", "pooled"] = "one",
    quantile: Annotated[float, between(0.0, 1.0)] = 0.95,
    bins: Annotated[int, positive] = 16,
):
    """Return the figure and its numbers: a panel for each statistic, IN and OUT densities.

    "one": the example at that quantile of the privacy score |mu_in - mu_out| / (s_in + s_out) of
    phi (carlini2022 §VII-B), with the fitted Gaussians on the logit panel. "pooled": of every
    example, the values standardised by mean and deviation of their own kind, against the standard
    normal; what lies beyond 4 deviations counts in the total but is not shown. Columns: statistic,
    kind, left, right, density, gaussian (at the middle of the bin; nan where none is drawn).

    `examples`: one example's values, or those of all, standardised (pooled). `quantile`: at which
    privacy score the one example stands. `bins`: of each histogram.
    """
    figure = common.figure(common.PAGE, 2.6)
    panels = figure.subplots(1, 3)
    pick = _pooled if examples == "pooled" else _one
    title, values = pick(evidence.signals, quantile)
    tables = []
    for axes, (statistic, kinds) in zip(panels, values.items(), strict=True):
        everything = np.concatenate(list(kinds.values()))
        span = np.array([-1, 1]) * STANDARD_RANGE if examples == "pooled" else everything
        limits = shadows.edges(span, bins)
        bells = _bells(kinds, statistic, examples)
        table = _panel(axes, kinds, limits, bells)
        axes.set_xlabel(PANELS[statistic][0] + (", standardised" if examples == "pooled" else ""))
        tables.append(table.assign(statistic=statistic))
    panels[0].set_ylabel("density")
    entries = shadows.handles() + panels[-1].get_legend_handles_labels()[0]
    figure.legend(
        handles=entries, loc="outside upper center", ncols=len(entries), title=in_figure(title)
    )
    order = ["statistic", "kind", "left", "right", "density", "gaussian"]
    return figure, pd.concat(tables, ignore_index=True)[order]


def choose(signals: dict, quantile: float) -> int:
    """Return the example at that quantile of the per-example privacy score."""
    candidates = shadows.usable(signals, 2)
    inside = signals["member"][:, candidates]
    phi = signals["phi"][:, candidates].astype(np.float64)
    distance = np.abs(shadows.mean_of(phi, inside) - shadows.mean_of(phi, ~inside))
    spread = shadows.deviation_of(phi, inside) + shadows.deviation_of(phi, ~inside)
    ranked = np.argsort(distance / np.maximum(spread, 1e-12), kind="stable")
    return int(candidates[ranked[round(quantile * (len(ranked) - 1))]])


def _one(signals, quantile):
    example = choose(signals, quantile)
    inside, phi = signals["member"][:, example], signals["phi"][:, example]
    values = {
        statistic: {"IN": transform(phi[inside]), "OUT": transform(phi[~inside])}
        for statistic, (_, transform) in PANELS.items()
    }
    return shadows.describe(signals, example), values


def _pooled(signals, _):
    candidates = shadows.usable(signals, 2)
    inside, phi = signals["member"][:, candidates], signals["phi"][:, candidates]
    values = {
        statistic: {
            "IN": _standardised(transform(phi), inside),
            "OUT": _standardised(transform(phi), ~inside),
        }
        for statistic, (_, transform) in PANELS.items()
    }
    return f"{len(candidates):,} examples, each standardised", values


def _standardised(values, mask):
    deviation = np.maximum(shadows.deviation_of(values, mask, ddof=0), 1e-12)
    return ((values - shadows.mean_of(values, mask)) / deviation)[mask]


def _bells(kinds, statistic, examples):
    """Return the Gaussians to draw: name -> (mean, deviation, the kinds it is compared with)."""
    if examples == "pooled":
        return {"standard normal": (0.0, 1.0, ["IN", "OUT"])}
    if statistic != "logit":
        return {}
    return {
        f"Gaussian fitted to {kind}": (values.mean(), max(values.std(ddof=1), 1e-12), [kind])
        for kind, values in kinds.items()
    }


def _panel(axes, kinds, limits, bells):
    middle, width = (limits[1:] + limits[:-1]) / 2, np.diff(limits)
    tables = {}
    for kind, values in kinds.items():
        density = np.histogram(values, limits)[0] / (len(values) * width)
        shadows.bars(axes, density, limits, kind)
        table = {"left": limits[:-1], "right": limits[1:], "density": density, "gaussian": np.nan}
        tables[kind] = pd.DataFrame({"kind": kind, **table})
    x = np.linspace(limits[0], limits[-1], 200)
    for name, (mu, s, compared) in bells.items():
        dashes = shadows.LOOKS[compared[0]]["linestyle"]
        axes.plot(x, _gaussian(x, mu, s), color="0.1", linestyle=dashes, linewidth=1.1, label=name)
        for kind in compared:
            tables[kind]["gaussian"] = _gaussian(middle, mu, s)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.ticklabel_format(axis="x", useOffset=False, scilimits=(-4, 4))
    return pd.concat(tables.values())


def _gaussian(x, mu, s):
    return np.exp(-0.5 * ((x - mu) / s) ** 2) / (s * np.sqrt(2 * np.pi))
