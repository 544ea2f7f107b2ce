"""How exposed ordinary examples and canaries are, example by example (carlini2022 Fig. 13)."""

from typing import Annotated

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common
from miatlas.exhibits.texts import in_figure
from miatlas.leakage.vulnerability import privacy_score
from miatlas.options import positive

READS = ("beside",)
ORDINARY = "ordinary examples"


def draw(
    evidence: Evidence,
    *,
    kinds: dict = {},
    bins: Annotated[int, positive] = 40,
    largest: Annotated[float, positive] | None = None,
):
    """Return the figure and its numbers: a curve for ordinary examples, and one for each kind.

    The score of an example is |mu_in - mu_out| / (s_in + s_out) of phi, over the models that
    trained on it and those that did not. Each cohort has canaries of one kind, which `kinds`
    (cohort -> name) names; ordinary are the examples of the pool of all of them that are none.
    `bins`: how many there are. `largest`: the last one holds all beyond it (default: the 99.5 %
    quantile of the canaries). Columns: kind, examples, mean and median (of a
    kind's scores), left, right, density. Raises ValueError for a cohort without canaries.
    """
    found = {ORDINARY: []}
    for cohort, signals in evidence.beside.items():
        scores, canary = _scores(signals), signals["canary"]
        if not canary.any():
            raise ValueError(f"the population of the cohort {cohort} has no canaries")
        found[ORDINARY].append(scores[~canary & (signals["role"] == 0)])
        found.setdefault(kinds.get(cohort, cohort), []).append(scores[canary])
    found = {kind: _finite(np.concatenate(parts)) for kind, parts in found.items()}
    canaries = np.concatenate([scores for kind, scores in found.items() if kind != ORDINARY])
    limits = np.linspace(0.0, largest or np.quantile(canaries, 0.995), bins + 1)
    figure = common.figure(common.COLUMN, 2.6)
    axes, tables = figure.add_subplot(), []
    for index, (kind, scores) in enumerate(found.items()):
        tables.append(_histogram(kind, scores, limits))
        _curve(axes, tables[-1], f"{kind} ({len(scores):,})", common.style(index))
    axes.set(xlim=limits[[0, -1]], ylim=(0, None), ylabel="density")
    axes.set_xlabel(r"privacy score $|\mu_{in}-\mu_{out}|\,/\,(\sigma_{in}+\sigma_{out})$")
    axes.legend()
    return figure, pd.concat(tables, ignore_index=True)


def _scores(signals):
    return privacy_score(signals["phi"], signals["member"])


def _finite(scores):
    """Leave out examples that too few models speak about, or all alike."""
    if not (finite := np.isfinite(scores)).any():
        raise ValueError("no example has two models that trained on it, and two that did not")
    return scores[finite]


def _histogram(kind, scores, limits):
    counts = np.histogram(np.minimum(scores, limits[-1]), limits)[0]
    density = counts / len(scores) / np.diff(limits)
    facts = {"kind": kind, "examples": len(scores)}
    facts |= {"mean": scores.mean(), "median": np.median(scores)}
    return pd.DataFrame({**facts, "left": limits[:-1], "right": limits[1:], "density": density})


def _curve(axes, table, name, look):
    edges = [*table["left"], table["right"].iloc[-1]]
    colour = {"color": look["color"], "linewidth": 0}
    axes.stairs(table["density"], edges, fill=True, alpha=0.15, **colour)
    axes.stairs(table["density"], edges, label=in_figure(name), **look)
