"""ROC curves on logarithmic axes, one for each audit and attack (carlini2022 Fig. 1, 5, 6, 8)."""

from typing import Annotated, Literal

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common
from miatlas.exhibits.texts import in_figure
from miatlas.leakage.privacy import tpr_limit
from miatlas.options import between


def draw(
    evidence: Evidence,
    *,
    band: Literal["range", "deviation", "none"] = "range",
    floor: Annotated[float, between(1e-9, 0.1)] = 1e-5,
    audit_names: dict = {},
    auc: bool = True,
):
    """Return the figure and its numbers: audit, label, name, fpr, tpr, low, high.

    Lines are the pooled curves, bands as in `common.curve_data`. Shaded: fewer than ten false
    positives are allowed. Both axes begin at `floor`, or at the FPR of one false positive where the
    data resolve no less. `auc`: say it in the legend. Where differential privacy is claimed for
    targets, a dotted line is the most that it allows (rows with no label).

    `band`: what is shaded around a line: from the least to the largest TPR of the targets (range),
    a deviation to either side of their mean, or nothing. `floor`: the least FPR and TPR of
    logarithmic axes, where the data resolve it. `audit_names`: audit -> the name shown.
    """
    curves = common.series(evidence, audit_names)
    data = [common.curve_data(evidence, one, band, floor) for one in curves]
    figure = common.figure(common.COLUMN, common.COLUMN)
    axes = figure.add_subplot()
    for index, (one, points) in enumerate(zip(curves, data, strict=True)):
        name = common.with_auc(evidence, one) if auc else one.name
        common.draw_curve(axes, points, name, **common.style(index))
    data += private_limits(evidence, data, audit_names)
    for index, limit in enumerate(data[len(curves) :]):
        axes.plot(limit["fpr"], limit["tpr"], label=in_figure(limit["name"].iloc[0]),
                  color="0.25", linewidth=1.0, linestyle=(0, (1, 1 + index)))  # fmt: skip
    common.log_axes(axes, min(points["fpr"].iloc[0] for points in data[: len(curves)]))
    common.mark_few(axes, evidence, curves)
    common.legend(axes)
    return figure, pd.concat(data, ignore_index=True)


def private_limits(evidence, curves: list[pd.DataFrame], audit_names: dict) -> list[pd.DataFrame]:
    """Return the largest TPR that claimed privacy allows to any attack, for each private audit."""
    found, fpr = {}, np.unique(np.concatenate([points["fpr"] for points in curves]))
    audits = dict.fromkeys(points["audit"].iloc[0] for points in curves)
    claims = {audit: _claim(evidence, audit) for audit in audits}
    claims = {audit: claim for audit, claim in claims.items() if claim}
    for audit, (epsilon, delta) in claims.items():
        whose = f", {audit_names.get(audit, audit)}" if len(audits) > 1 else ""
        name = f"({epsilon:.3g}, {delta:g})-DP allows{whose}"
        limit = {"fpr": fpr, "tpr": tpr_limit(fpr, epsilon, delta)}
        limit |= {"audit": audit, "label": "", "name": name, "low": np.nan, "high": np.nan}
        found.setdefault((epsilon, delta), pd.DataFrame(limit)[list(curves[0])])
    return list(found.values())


def _claim(evidence, audit):
    """Return the (ε, δ) that is claimed of an audit's targets; None without, or without a bound."""
    claim = next((r.get("claimed") for r in evidence.metrics if r["audit"] == audit), None)
    return (claim["epsilon"], claim["delta"]) if claim and claim["epsilon"] is not None else None
