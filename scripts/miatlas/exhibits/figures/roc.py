"""ROC curves on logarithmic axes, one for each audit and attack (carlini2022 Fig. 1, 5, 6, 8)."""

from typing import Annotated, Literal

import pandas as pd

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import common
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
    data resolve no less. `auc`: say it in the legend.
    """
    curves = common.series(evidence, audit_names)
    data = [common.curve_data(evidence, one, band, floor) for one in curves]
    figure = common.figure(common.COLUMN, common.COLUMN)
    axes = figure.add_subplot()
    for index, (one, points) in enumerate(zip(curves, data, strict=True)):
        name = common.with_auc(evidence, one) if auc else one.name
        common.draw_curve(axes, points, name, **common.style(index))
    common.log_axes(axes, min(points["fpr"].iloc[0] for points in data))
    common.mark_few(axes, evidence, curves)
    common.legend(axes)
    return figure, pd.concat(data, ignore_index=True)
