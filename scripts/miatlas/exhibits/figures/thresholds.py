"""Losses that attacks take thresholds from, for two models and two examples (ye2022 Fig. 1)."""

from typing import Annotated

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from miatlas.designs.roles import HELD_OUT, POOL
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common, shadows
from miatlas.exhibits.texts import in_figure
from miatlas.options import between, positive
from miatlas.signals.statistics import loss_from_phi

READS = ("signals", "beside")
LARGEST = 1000.0  # the upper anchor of the interpolated distribution, as the attacks have it
TINT, CUT = "#0072B2", "#D55E00"
ROWS = {
    "S": "S: same class,\nother models",
    "P": "P: held-out,\nsame model",
    "R": "R: same example,\nother models",
    "D": "D: same example,\nstudents",
}


def draw(
    evidence: Evidence,
    *,
    students: Annotated[int, positive],
    alpha: Annotated[float, between(0.0, 1.0)] = 0.1,
    models: list[int] = [0, 1],
    quantiles: list[float] = [0.1, 0.9],
    bins: Annotated[int, positive] = 30,
):
    """Return the figure and its numbers: a row for each attack, a column for each pair.

    Pairs are `models` by the examples that `choose` finds. A panel shows the reference losses of
    S (Eq. 16), P (Eq. 22), R (Eq. 27) or D (Eq. 38), their threshold c(alpha), and the model's own
    loss on the example: at or below c(alpha) it is called a member. The cohort beside is distilled,
    with that many `students` of each model. Columns: attack, model, example, left,
    right, share (of the reference losses), losses (their number), threshold, loss.

    `alpha`: the false-positive rate that the thresholds are for. `quantiles`: of the mean loss over
    models that were not trained on them, at which the examples stand. `bins`: of each histogram.
    """
    signals = evidence.signals
    examples = choose(signals, models, quantiles)
    pairs = [(model, example) for model in models for example in examples]
    taught = _students(evidence.beside, students, models)
    panels = {
        (attack, *pair): references(taught[pair[0]] if attack == "D" else signals, attack, *pair)
        for attack in ROWS
        for pair in pairs
    }
    own = {pair: float(_loss(signals["phi"][pair])) for pair in pairs}
    everything = np.concatenate([*panels.values(), np.array(list(own.values()))])
    limits = shadows.edges(everything, bins, logarithmic=True)
    figure = common.figure(common.PAGE, 1.1 + 1.25 * len(ROWS))
    grid = figure.subplots(len(ROWS), len(pairs), sharex=True, sharey="row", squeeze=False)
    tables = []
    for axes, (place, losses) in zip(grid.flat, panels.items(), strict=True):
        table = _panel(axes, losses, limits, threshold(losses, alpha), own[place[1:]])
        table.insert(0, "attack", place[0])
        tables.append(table.assign(model=place[1], example=place[2]))
    _finish(figure, grid, pairs, signals, alpha)
    order = ["attack", "model", "example", "left", "right"]
    data = pd.concat(tables, ignore_index=True)
    return figure, data[[*order, "share", "losses", "threshold", "loss"]]


def choose(signals: dict, models: list[int], quantiles: list[float]) -> list[int]:
    """Return the examples shown: members of all `models`, of one class, from easy to hard.

    The class is the one with the most such examples; they stand at the `quantiles` of the mean loss
    over the models that did not train on them; one that stands at two of them comes once. Raises
    ValueError if there is none.
    """
    if not 0 <= min(models) <= max(models) < len(signals["phi"]):
        raise ValueError(f"models: {models}, but the cohort has {len(signals['phi'])} models")
    inside = signals["member"]
    shared = inside[models].all(axis=0) & ~inside.all(axis=0) & (signals["role"] == POOL)
    if not shared.any():
        raise ValueError(f"the models {models} have no example in common that others lack")
    counts = np.bincount(signals["labels"][shared])
    candidates = np.flatnonzero(shared & (signals["labels"] == counts.argmax()))
    losses = shadows.mean_of(_loss(signals["phi"][:, candidates]), ~inside[:, candidates])
    ranked = candidates[np.argsort(losses, kind="stable")]
    places = [round(quantile * (len(ranked) - 1)) for quantile in quantiles]
    return list(dict.fromkeys(int(ranked[place]) for place in places))


def _students(beside: dict, each: int, models: list[int]) -> dict[int, dict]:
    """Return the signals of each model's students; ValueError if it has none."""
    (cohort,) = beside.values()
    if len(cohort["phi"]) % each or max(models) >= len(cohort["phi"]) // each:
        raise ValueError(
            f"students: of {each} models each, {len(cohort['phi'])} are no students of {models}"
        )
    rows = {model: slice(model * each, (model + 1) * each) for model in models}
    return {m: {key: cohort[key][rows[m]] for key in ("phi", "member")} for m in models}


def references(signals: dict, attack: str, model: int, example: int) -> np.ndarray:
    """Return the losses (n,) that an attack judges one model's loss on one example by.

    signals: of the model's own cohort; for D, of its students.
    """
    if attack == "D":
        outside = ~signals["member"][:, example]
        return _loss(signals["phi"][outside, example])
    phi, labels = signals["phi"], signals["labels"]
    if attack == "P":
        population = signals["role"] == HELD_OUT
        if not population.any():
            raise ValueError("attack P needs held-out examples, but the cohort has none")
        return _loss(phi[model, population])
    others = np.arange(len(phi)) != model
    same = (labels == labels[example]) & (signals["role"] == POOL)
    alike = same if attack == "S" else np.arange(len(labels)) == example
    index = np.ix_(others, alike)
    return _loss(phi[index][~signals["member"][index]])


def threshold(losses: np.ndarray, alpha: float) -> float:
    """Return c(alpha): the alpha-quantile of the losses, interpolated from 0 to a large loss."""
    return float(np.quantile([0.0, *losses, LARGEST], alpha))


def _loss(phi):
    return np.maximum(loss_from_phi(np.asarray(phi, dtype=np.float64)), 1e-300)


def _panel(axes, losses, limits, cut, loss):
    share = np.histogram(losses, limits)[0] / len(losses)
    axes.stairs(share, limits, fill=True, color=TINT, alpha=0.30, linewidth=0)
    axes.stairs(share, limits, color=TINT, linewidth=0.9)
    axes.axvspan(
        limits[0], min(max(cut, limits[0]), limits[-1]), color=CUT, alpha=0.07, linewidth=0
    )
    axes.axvline(cut, color=CUT, linewidth=1.2)
    axes.axvline(loss, color="0.1", linestyle=(0, (3, 1.5)), linewidth=1.2)
    guess = "member" if loss <= cut else "non-member"
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    axes.text(
        0.97, 0.95, guess, transform=axes.transAxes, ha="right", va="top", fontsize=6.5, bbox=box
    )
    axes.set(xscale="log", xlim=(limits[0], limits[-1]))
    bars = {"left": limits[:-1], "right": limits[1:], "share": share}
    return pd.DataFrame({**bars, "losses": len(losses), "threshold": cut, "loss": loss})


def _finish(figure, grid, pairs, signals, alpha):
    for axes in grid.flat:
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(NullLocator())
    for axes, (model, example) in zip(grid[0], pairs, strict=True):
        axes.set_title(f"model {model}, example {example}", fontsize=7.5)
    for axes, name in zip(grid[:, 0], ROWS.values(), strict=True):
        axes.set_ylabel(name)
        axes.set_ylim(0, 1.2 * axes.get_ylim()[1])  # room for the verdict
    label, names = int(signals["labels"][pairs[0][1]]), signals.get("class_names")
    figure.supxlabel(
        in_figure(f"loss; all examples are members, of class {names[label] if names else label}"),
        fontsize=8.5,
    )
    entries = [
        Patch(facecolor=(TINT, 0.3), edgecolor=TINT, label="reference losses"),
        Line2D([], [], color=CUT, label=f"threshold at α = {alpha:g}"),
        Line2D([], [], color="0.1", linestyle=(0, (3, 1.5)), label="the model's own loss"),
    ]
    figure.legend(handles=entries, loc="outside upper center", ncols=3)
