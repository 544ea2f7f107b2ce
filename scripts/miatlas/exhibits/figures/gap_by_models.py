"""What attacks achieve on models of known laws, by the number of shadow models (zhu2025's theory).

Simulated: confidence vectors drawn from the two Dirichlet laws of given factors. How far fitted
attacks stay below the best test, and fitted laws claim too much, is then exactly known.
"""

from typing import Annotated

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from miatlas.attacks import lira_cv, lira_ds, lira_tlc
from miatlas.bounds import disclosures, factors
from miatlas.bounds.decision_sets import log_draws
from miatlas.bounds.dirichlet import fit, summarise
from miatlas.exhibits.figures import common, disclosed
from miatlas.options import between, positive

READS = ()
ENOUGH = 1e-4
CLAIMED = {"linestyle": (0, (1, 1.4)), "linewidth": 1.0}
LEVEL = {"linestyle": (0, (4, 1.6)), "linewidth": 1.0}


def draw(
    evidence,
    *,
    models: list[int] = [2, 4, 8, 16, 32, 64],
    examples: Annotated[int, positive] = 1500,
    classes: Annotated[int, positive] = 10,
    aleatoric: Annotated[float, between(0.0, 1.0)] = 0.3,
    calibration: Annotated[float, between(0.0, 10.0)] = 0.2,
    epistemic: Annotated[float, between(0.0, 1.0)] = 0.2,
    threshold: Annotated[float, between(0.0, 1.0)] = 0.2,
):
    """Return the figure and its numbers: disclosure, models, achieved, low, high, claimed, optimum.

    `models` IN and as many OUT shadow models judge `examples` examples, half of them members.
    achieved: TPR - FPR at log-ratio 0, with 95 % limits; optimum: the largest of any test; claimed
    (cv, tlc): the mean optimum between the laws that are fitted to the shadow models.

    `classes`: how many the simulated models tell apart. `aleatoric`: A: one minus the mean
    confidence in the true label of models that did not train on the example. `calibration`: Δ: by
    which share models that did are surer of it. `epistemic`: E: how far models differ from each
    other, from 0 to 1. `threshold`: a label is in the decision set if its confidence is at least
    this.
    """
    laws = factors.laws(classes, aleatoric, calibration, epistemic)
    best = _optima([np.atleast_2d(alpha) for alpha in laws], threshold)
    rows = [
        {"disclosure": name, "models": count, **found, "optimum": best[name]}
        for count in sorted(models)
        for name, found in _measured(laws, count, examples, threshold).items()
    ]
    data = pd.DataFrame(rows).sort_values("disclosure", kind="stable", ignore_index=True)
    figure = common.figure(4.4, 3.1)
    _panel(figure.add_subplot(), data, sorted(models))
    kinds = [
        disclosed.key("achieved"), disclosed.key("largest advantage", **LEVEL),
        disclosed.key("claimed by the fits", **CLAIMED),
    ]  # fmt: skip
    handles = disclosed.keys_of(disclosed.NAMES) + kinds
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure, data


def _optima(laws, threshold):
    generator = np.random.default_rng(0)
    limits = {
        "cv": disclosures.confidence_vector(*laws),
        "tlc": disclosures.true_label_confidence(*laws, [0]),
        "ds": disclosures.decision_set(*laws, threshold, [generator], 100_000, label=0),
    }
    return {name: float(limit.advantage[0]) for name, limit in limits.items()}


def _measured(laws, count, examples, threshold):
    """Return what each disclosure's attack achieves, and what its fits claim."""
    generator = np.random.default_rng(count)
    shape = (count, examples, len(laws[0]))
    drawn = [log_draws(alpha, count * examples, generator).reshape(shape) for alpha in laws]
    refs, member = np.concatenate(drawn), np.arange(examples) % 2 == 0
    target = np.where(member[:, None], *(log_draws(alpha, examples, generator) for alpha in laws))
    refs_in = np.arange(2 * count)[:, None] < np.full(examples, count)
    masks = (refs_in, ~refs_in)
    own = [log_p[..., :1] - np.log(-np.expm1(log_p[..., :1])) for log_p in (target, refs)]  # phi
    scores = {
        "cv": lira_cv.score(target, refs, *masks), "tlc": lira_tlc.score(*own, *masks),
        "ds": lira_ds.score(target, refs, *masks, level=threshold),
    }  # fmt: skip
    claimed = _claimed(refs, masks) if count > 1 else {}
    return {
        name: {**_advantage(values, member), "claimed": claimed.get(name, np.nan)}
        for name, values in scores.items()
    }


def _advantage(scores, member):
    calls = (np.sign(scores) + 1.0) / 2.0
    parts = [calls[mask] for mask in (member, ~member)]
    value = parts[0].mean() - parts[1].mean()
    error = 1.96 * np.sqrt(sum(part.var(ddof=1) / len(part) for part in parts))
    return {"achieved": value, "low": value - error, "high": value + error}


def _claimed(refs, masks, most: int = 200):
    laws = [fit(summarise(refs[:, :most], mask[:, :most])).alpha for mask in masks]
    whole = disclosures.confidence_vector(*laws, ENOUGH).advantage
    own = disclosures.true_label_confidence(*laws, np.zeros(len(laws[0]), int)).advantage
    return {"cv": whole.mean(), "tlc": own.mean()}


def _panel(axes, data, models):
    for name, own in data.groupby("disclosure", sort=False):
        look = disclosed.LOOKS[name]
        errors = [own["achieved"] - own["low"], own["high"] - own["achieved"]]
        axes.errorbar(own["models"], own["achieved"], errors, linewidth=1.5, **look)
        axes.axhline(own["optimum"].iloc[0], color=look["color"], **LEVEL)
        axes.plot(own["models"], own["claimed"], color=look["color"], **CLAIMED)
    axes.set(xscale="log", xlabel="shadow models of each kind", ylabel="advantage")
    axes.set_ylim(min(-0.02, data["low"].min() - 0.02), 1.02)
    axes.xaxis.set_major_locator(FixedLocator(models))
    axes.xaxis.set_major_formatter(FixedFormatter([str(count) for count in models]))
    axes.xaxis.set_minor_locator(NullLocator())
