"""One ROC twice, on linear and on logarithmic axes (carlini2022 Fig. 2)."""

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
):
    """Return the figure and its numbers, the same for both panels.

    The linear panel, which has an origin, begins with the TPR at no false positive (fpr 0).

    `band`: what is shaded around a line: from the least to the largest TPR of the targets (range),
    a deviation to either side of their mean, or nothing. `floor`: the least FPR and TPR of
    logarithmic axes, where the data resolve it. `audit_names`: audit -> the name shown.
    """
    curves = common.series(evidence, audit_names)
    data = [
        common.from_origin(evidence, common.curve_data(evidence, one, band, floor))
        for one in curves
    ]
    figure = common.figure(common.PAGE, 3.5)
    linear, logarithmic = figure.subplots(1, 2)
    for index, (one, points) in enumerate(zip(curves, data, strict=True)):
        name = common.with_auc(evidence, one)
        common.draw_curve(linear, points, name, **common.style(index))
        common.draw_curve(logarithmic, points[points["fpr"] > 0], name, **common.style(index))
    table = pd.concat(data, ignore_index=True)
    common.linear_axes(linear)
    common.log_axes(logarithmic, table["fpr"][table["fpr"] > 0].min())
    common.mark_few(logarithmic, evidence, curves)
    linear.set_title("(a) linear scale")
    logarithmic.set_title("(b) logarithmic scale")
    entries = linear.get_legend_handles_labels()
    figure.legend(*entries, loc="outside upper center", ncols=min(3, len(entries[0])))
    return figure, table
