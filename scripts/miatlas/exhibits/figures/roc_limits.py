"""ROC curves with the limits that no attack on the same disclosure exceeds (zhu2025)."""

from typing import Annotated, Literal

import pandas as pd
from matplotlib.lines import Line2D

from miatlas.bounds.limits import tpr_limit
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common, disclosed
from miatlas.exhibits.texts import in_figure
from miatlas.leakage.privacy import tpr_limit as private_limit
from miatlas.options import between

READS = ("metrics", "curves", "bounds")
PRIVATE = {"color": "0.45", "linewidth": 0.8, "linestyle": (0, (1, 1.5))}


def draw(
    evidence: Evidence,
    *,
    disclosures: dict = {},
    scale: Literal["log", "linear"] = "log",
    floor: Annotated[float, between(1e-9, 0.1)] = 1e-5,
    epsilons: list[float] = [],
    delta: Annotated[float, between(0.0, 1.0)] = 0.0,
    audit_names: dict = {},
):
    """Return the figure and its numbers: audit, disclosure, label, epsilon, kind, fpr, tpr.

    kind is curve, limit or private. A panel for each audit. Curves are of all targets under one
    threshold; limits, in the same colour, follow from the means over the examples of the
    divergences between their fitted laws (`bounds.limits`). Shaded on logarithmic axes: fewer than
    ten false positives are allowed.
    `disclosures`: cv, tlc, ds -> the label of the attack on it; lira_cv, lira_tlc and lira_ds need
    not be named. `epsilons`: limits of (ε, δ)-privacy.

    `scale`: of both axes. `floor`: the least FPR and TPR of logarithmic axes, where the data
    resolve it. `delta`: δ of `epsilons`. `audit_names`: audit -> the name shown.
    """
    known = disclosed.disclosures_of(evidence.names, disclosures)
    pairs = [pair for pair in evidence.pairs() if pair[1] in known]
    if not pairs:
        raise ValueError("no attack on a disclosure to show; see the option `disclosures`")
    audits = list(dict.fromkeys(audit for audit, _ in pairs))
    figure = common.figure(max(common.COLUMN * len(audits), 4.4), common.COLUMN + 0.7)
    grid, tables = figure.subplots(1, len(audits), squeeze=False)[0], []
    for axes, audit in zip(grid, audits, strict=True):
        labels = {label: known[label] for a, label in pairs if a == audit}
        parts = [_curve_and_limit(evidence, audit, *one, floor) for one in labels.items()]
        parts += [_private(audit, parts[0]["fpr"].unique(), e, delta) for e in epsilons]
        tables.append(pd.concat(parts, ignore_index=True))
        _panel(axes, tables[-1], scale)
        if scale == "log":
            shown = [common.Series(audit, label, label) for label in labels]
            common.mark_few(axes, evidence, shown)
        if len(audits) > 1:
            axes.set_title(in_figure(audit_names.get(audit, audit)))
    data = pd.concat(tables, ignore_index=True)
    figure.legend(handles=_keys(data, delta), loc="outside upper center", ncols=2)
    return figure, data


def _curve_and_limit(evidence, audit, label, name, floor):
    curve = common.curve_data(evidence, common.Series(audit, label, label), "none", floor)
    bounds = disclosed.bounds_of(evidence, evidence.result(audit, label)["target_cohort"])
    limit = tpr_limit(curve["fpr"].to_numpy(), *disclosed.pooled(bounds, name))
    kinds = {"curve": curve["tpr"], "limit": limit}
    place = {"audit": audit, "disclosure": name, "label": label, "epsilon": float("nan")}
    tables = [
        pd.DataFrame({**place, "kind": kind, "fpr": curve["fpr"], "tpr": tpr})
        for kind, tpr in kinds.items()
    ]
    return pd.concat(tables, ignore_index=True)


def _private(audit, fpr, epsilon, delta):
    place = {"audit": audit, "disclosure": "", "label": "", "epsilon": epsilon, "kind": "private"}
    return pd.DataFrame({**place, "fpr": fpr, "tpr": private_limit(fpr, epsilon, delta)})


def _panel(axes, table, scale):
    for name, own in table[table["kind"] != "private"].groupby("disclosure", sort=False):
        look = disclosed.LOOKS[name]
        curve, limit = (own[own["kind"] == kind] for kind in ("curve", "limit"))
        marks = {"marker": look["marker"], "markevery": 0.14, "markersize": 3.5}
        axes.plot(
            curve["fpr"], curve["tpr"], drawstyle="steps-post", color=look["color"], **marks,
            linewidth=1.5,
        )  # fmt: skip
        axes.plot(limit["fpr"], limit["tpr"], color=look["color"], **disclosed.BOUND)
    untold = table[(table["kind"] == "limit") & table["tpr"].isna()]
    disclosed.say_untold(axes, untold["disclosure"].unique())
    for _, own in table[table["kind"] == "private"].groupby("epsilon"):
        axes.plot(own["fpr"], own["tpr"], **PRIVATE)
    if scale == "log":
        common.log_axes(axes, table["fpr"].min())
    else:
        common.linear_axes(axes)


def _keys(data, delta):
    present = [name for name in disclosed.NAMES if name in set(data["disclosure"])]
    kinds = [disclosed.key("attack"), disclosed.key("limit", **disclosed.BOUND)]
    epsilons = sorted(data["epsilon"].dropna().unique())
    if epsilons:
        values = ", ".join(f"{value:g}" for value in epsilons)
        text = f"(ε, {delta:g})-DP, ε = {values}"
        kinds.append(Line2D([], [], label=text, **PRIVATE))
    return [*disclosed.keys_of(present), *kinds, Line2D([], [], label="chance", **common.CHANCE)]
