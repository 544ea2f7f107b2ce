"""What the shadow models of one cohort say about one example, with and without it in training.

Not a figure itself.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

LOOKS = {  # hatching and dashes set the two apart in grey
    "OUT": {"color": "#0072B2", "hatch": None, "linestyle": (0, (4, 1.5)), "alpha": 0.30},
    "IN": {"color": "#D55E00", "hatch": "//////", "linestyle": "-", "alpha": 0.22},
}
NAMES = {"IN": "IN: trained on it", "OUT": "OUT: not trained on it"}


def usable(signals: dict, least: int) -> np.ndarray:
    """Return the indices of pool examples with at least `least` IN and `least` OUT models.

    Raises ValueError if there is none.
    """
    inside = signals["member"].sum(axis=0)
    enough = np.minimum(inside, len(signals["member"]) - inside) >= least
    candidates = np.flatnonzero(enough & (signals["role"] == 0))
    if len(candidates) == 0:
        raise ValueError(f"no example of the pool has {least} models trained with it and without")
    return candidates


def mean_of(values: np.ndarray, mask: np.ndarray) -> np.ndarray:  # (M, n), (M, n) -> (n,)
    """Return each column's mean over the models of the mask."""
    return np.where(mask, values, 0.0).sum(axis=0) / mask.sum(axis=0)


def deviation_of(values, mask, ddof: int = 1) -> np.ndarray:  # (M, n), (M, n) -> (n,)
    """Return each column's standard deviation over the models of the mask."""
    squares = np.where(mask, (values - mean_of(values, mask)) ** 2, 0.0).sum(axis=0)
    return np.sqrt(squares / (mask.sum(axis=0) - ddof))


def edges(values: np.ndarray, bins: int, logarithmic: bool = False) -> np.ndarray:
    """Return `bins` equal intervals, of the values or their logarithms, that hold all of them."""
    values = np.log10(values) if logarithmic else values
    low, high = float(values.min()), float(values.max())
    margin = 1e-6 * (high - low) or 0.5  # no value may fall off either end by rounding
    limits = np.linspace(low - margin, high + margin, bins + 1)
    return 10.0**limits if logarithmic else limits


def bars(axes: Axes, heights: np.ndarray, limits: np.ndarray, kind: str) -> None:
    """Draw one histogram: tinted, hatched for IN, with an outline."""
    look, filled = LOOKS[kind], np.flatnonzero(heights)
    if len(filled):  # no outline along the axis where there is nothing
        heights = heights[filled[0] : filled[-1] + 1]
        limits = limits[filled[0] : filled[-1] + 2]
    axes.stairs(heights, limits, fill=True, color=look["color"], alpha=look["alpha"], linewidth=0)
    line = {"color": look["color"], "linestyle": look["linestyle"], "linewidth": 1.1}
    axes.stairs(heights, limits, hatch=look["hatch"], **line)


def handles() -> list[Patch]:
    """Return the entries of the legend."""
    return [
        Patch(
            facecolor=(look["color"], look["alpha"]), edgecolor=look["color"], hatch=look["hatch"],
            linestyle=look["linestyle"], linewidth=1.1, label=NAMES[kind],
        )
        for kind, look in reversed(LOOKS.items())
    ]  # fmt: skip


def describe(signals: dict, example: int) -> str:
    """Return the example's number and class, by its name where classes have names."""
    label, names = int(signals["labels"][example]), signals.get("class_names")
    return f"example {example}, class {names[label] if names else label}"
