"""What figures of many panels and of clouds of points share.

Not a figure itself.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from miatlas.exhibits.figures import common


def dots(colour: str) -> dict:
    """Return the look of a cloud of points: small, and open where the marker has an inside."""
    return {
        "color": colour,
        "markersize": 3.2,
        "markerfacecolor": "none",
        "markeredgewidth": 0.6,
        "alpha": 0.75,
        "linestyle": "none",
    }


def middle(values, share: float, both: bool = False):
    """Return the limit below which 1 - share of the values lie, or `both` limits, half at each."""
    values = np.asarray(values)
    if not both:
        return float(np.quantile(values, 1 - share))
    low, high = np.quantile(values, [(1 - share) / 2, (1 + share) / 2])
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(low) + 0.5)


def class_names(signals: dict) -> list[str]:
    """Return the names of the classes, or their numbers."""
    names = signals.get("class_names")
    return list(names) if names else [str(c) for c in range(int(signals["labels"].max()) + 1)]


def known(classes: list[str], names: list[str]) -> list[str]:
    """Return the classes asked for; ValueError for one that does not exist."""
    for name in classes:
        if name not in names:
            raise ValueError(f"classes: there is no {name!r}; there is: {', '.join(names)}")
    return list(classes)


def panels(count: int, columns: int) -> tuple[Figure, list[Axes]]:
    """Return a page-wide figure with `count` panels, at most `columns` beside each other."""
    columns = min(columns, count)
    rows = -(-count // columns)
    drawn = common.figure(max(common.PAGE * columns / 3, common.COLUMN), 0.7 + 2.1 * rows)
    grid = drawn.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[count:]:
        axes.remove()
    return drawn, list(grid.flat[:count])


def shared_legend(drawn: Figure, grid: list[Axes]) -> None:
    """Put one legend above all panels, with every name that any of them has."""
    names = {}
    for axes in grid:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            names.setdefault(name, handle)
    names |= {"chance": names.pop("chance")} if "chance" in names else {}
    columns = min(len(names), 6 if drawn.get_figwidth() > 5 else 2)
    drawn.legend(names.values(), names, loc="outside upper center", ncols=columns)
