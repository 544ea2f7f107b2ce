"""What the figures share: sizes, colours, ROC curves on logarithmic axes, bands over targets."""

from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.exhibits.texts import in_figure
from miatlas.leakage.levels import FEW

COLUMN, PAGE = 3.4, 7.0  # widths in inches of one and of two columns of print
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
DASHES = [
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (9, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
]
CHANCE = {"color": "0.45", "linestyle": (0, (2, 2)), "linewidth": 0.9, "zorder": 1.5}
WIDEST_FLOOR = 0.1  # a logarithmic axis shows at least one decade
LEGEND_ROOM = 4  # entries below the chance line that hide no curve
LONG, LETTER = 44, 0.07  # letters that fit between the axes; width in inches of one in a legend


class Series(NamedTuple):
    """One curve: where it comes from and what it is called."""

    audit: str
    label: str
    name: str


def figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches."""
    return Figure(figsize=(width, height))


def style(index: int) -> dict:
    """Return the look of the index-th curve of unordered kinds.

    Later curves, drawn on top, are thinner: of two that coincide, both are seen.
    """
    look = {"color": COLOURS[index % len(COLOURS)], "linestyle": DASHES[index % len(DASHES)]}
    return {**look, "linewidth": max(2.0 - 0.25 * index, 1.1)}


def ordered_style(index: int, count: int) -> dict:
    """Return the style of the index-th of `count` ordered curves: darker and wider = more."""
    place = index / max(count - 1, 1) if count > 1 else 1.0
    colour = matplotlib.colormaps["viridis"](0.88 * (1 - place))
    return {
        "color": colour,
        "linestyle": DASHES[(count - 1 - index) % 3],
        "linewidth": 1 + 0.6 * place,
    }


def series(evidence: Evidence, audit_names: dict) -> list[Series]:
    """Return the curves of the evidence, each named by what sets it apart from the others."""
    unknown = sorted(set(audit_names) - set(evidence.audits()))
    if unknown:
        raise ValueError(f"audit_names: no audit {unknown[0]!r} here, only {evidence.audits()}")
    pairs = evidence.pairs()
    audits = {audit_names.get(audit, audit) for audit, _ in pairs}
    labels = {label for _, label in pairs}
    if _one_each(evidence, pairs, audit_names):
        audits, order = set(), list(evidence.names)
        pairs = sorted(pairs, key=lambda pair: order.index(pair[1]))
    result = []
    for audit, label in pairs:
        attack, model = evidence.names[label], audit_names.get(audit, audit)
        both = f"{attack}, {model}"
        name = both if min(len(audits), len(labels)) > 1 else model if len(audits) > 1 else attack
        result.append(Series(audit, label, name))
    return result


def _one_each(evidence, pairs, audit_names) -> bool:
    """Whether audits only differ in the models that each attack was given: one target cohort."""
    cohorts = {evidence.result(*pair).get("target_cohort") for pair in pairs}
    return (
        len(cohorts) == 1 and len({label for _, label in pairs}) == len(pairs) and not audit_names
    )


def tpr_at(curve: pd.DataFrame, fpr: np.ndarray) -> np.ndarray:
    """Return the largest TPR that the curve attains at an FPR of at most `fpr`."""
    false_positives = curve["false_positives"].to_numpy()
    allowed = np.floor(np.asarray(fpr) * false_positives[-1] + 1e-6)
    return curve["tpr"].to_numpy()[np.searchsorted(false_positives, allowed, side="right") - 1]


def resolution(curve: pd.DataFrame) -> float:
    """Return the FPR of one false positive: 1 / number of non-members."""
    return 1.0 / curve["false_positives"].iloc[-1]


def fpr_grid(lowest: float, nonmembers: int) -> np.ndarray:
    """Return the FPRs a curve is drawn at: all of the first hundred steps, then a fine grid."""
    steps = np.arange(1, min(nonmembers, 100) + 1) / nonmembers
    decades = np.geomspace(lowest, 1.0, int(100 * -np.log10(lowest)) + 2)
    grid = np.unique(np.concatenate([steps, decades, np.linspace(0, 1, 201)[1:]]))
    return grid[(grid >= lowest) & (grid <= 1.0)]


def curve_data(evidence: Evidence, one: Series, band: str, floor: float) -> pd.DataFrame:
    """Return what is drawn of one attack: audit, label, name, fpr, tpr, low, high.

    tpr: the pooled curve, from the FPR of its own first false positive. low, high: the least and
    the largest TPR of the targets (band "range") or their mean -+ one deviation ("deviation"); nan
    below the FPR that one target resolves by itself, and without a second target.
    """
    pooled = evidence.curve(one.audit, one.label)
    grid = fpr_grid(max(floor, resolution(pooled)), int(pooled["false_positives"].iloc[-1]))
    data = pd.DataFrame({"fpr": grid, "tpr": tpr_at(pooled, grid), "low": np.nan, "high": np.nan})
    targets = [str(t["target"]) for t in evidence.result(one.audit, one.label)["targets"]]
    if band != "none" and len(targets) > 1:
        curves = [evidence.curve(one.audit, one.label, target) for target in targets]
        seen = grid >= max(resolution(curve) for curve in curves) * (1 - 1e-9)
        rates = np.array([tpr_at(curve, grid[seen]) for curve in curves])
        data.loc[seen, ["low", "high"]] = np.column_stack(_band(rates, band))
    return data.assign(audit=one.audit, label=one.label, name=one.name)[
        ["audit", "label", "name", "fpr", "tpr", "low", "high"]
    ]


def from_origin(evidence: Evidence, data: pd.DataFrame) -> pd.DataFrame:
    """Return the curve with its beginning at FPR 0: TPR 0, then what no false positive costs."""
    first = data.iloc[0]
    alone = tpr_at(evidence.curve(first["audit"], first["label"]), np.zeros(1))[0]
    start = {"fpr": 0.0, "tpr": [0.0, alone], "low": np.nan, "high": np.nan}
    place = {key: first[key] for key in ("audit", "label", "name")}
    return pd.concat([pd.DataFrame({**place, **start}), data], ignore_index=True)


def _band(rates, band):
    if band == "range":
        return rates.min(axis=0), rates.max(axis=0)
    mean, deviation = rates.mean(axis=0), rates.std(axis=0, ddof=1)
    return np.clip(mean - deviation, 0, 1), np.clip(mean + deviation, 0, 1)


def draw_curve(axes: Axes, data: pd.DataFrame, name: str, **look) -> None:
    """Draw one curve of `curve_data`, in steps: only attained points are claimed."""
    axes.plot(data["fpr"], data["tpr"], drawstyle="steps-post", label=in_figure(name), **look)
    if data["low"].notna().any():
        edges = {"color": look["color"], "alpha": 0.16, "linewidth": 0, "step": "post"}
        axes.fill_between(data["fpr"], data["low"], data["high"], **edges)


def log_axes(axes: Axes, lowest: float) -> None:
    """Make logarithmic ROC axes from `lowest` to 1, alike in both directions, with chance."""
    lowest = min(lowest, WIDEST_FLOOR)
    axes.set(xscale="log", yscale="log", xlim=(lowest, 1), ylim=(lowest, 1), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(base=10, numticks=12))
        axis.set_minor_formatter(NullFormatter())
    _finish(axes, [lowest, 1])


def mark_few(axes: Axes, evidence: Evidence, curves: list[Series]) -> float:
    """Shade the FPRs of logarithmic axes at which fewer than ten false positives are allowed.

    Of the pooled curve with the fewest non-members; returns where the shade ends.
    """
    end = FEW * max(resolution(evidence.curve(one.audit, one.label)) for one in curves)
    low, high = axes.get_xlim()
    if end > low:
        end = min(end, high)
        axes.axvspan(low, end, facecolor="0.93", zorder=0)
        words = f"fewer than\n{FEW} false\npositives"
        axes.text(1.1 * low, 0.85, words, fontsize=5.5, color="0.4", ha="left", va="top")
    return end


def linear_axes(axes: Axes) -> None:
    """Make linear ROC axes with chance."""
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    _finish(axes, [0, 1])


def _finish(axes, ends):
    axes.plot(ends, ends, label="chance", **CHANCE)
    axes.set(xlabel="false-positive rate", ylabel="true-positive rate")


def legend(axes: Axes) -> None:
    """Put the legend below the chance line, where no curve is; beside the axes if it is long."""
    names = axes.get_legend_handles_labels()[1]
    longest = max(len(line) for name in names for line in name.split("\n"))
    if len(names) <= LEGEND_ROOM and longest <= LONG:
        axes.legend(loc="lower right")
    else:
        width = max(2.2, 0.8 + LETTER * longest)
        axes.figure.set_figwidth(axes.figure.get_figwidth() + width)
        axes.set_anchor("W")  # a square leaves room, which is the legend's
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))


def with_auc(evidence: Evidence, one: Series) -> str:
    """Return the curve's name with the AUC of the pooled curve."""
    auc = estimate(evidence.result(one.audit, one.label), "auc", over="pooled")
    return f"{one.name} (AUC {auc.value:.3f})"
