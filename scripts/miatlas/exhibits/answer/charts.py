"""The page's charts, as Vega-Lite specifications made by Altair."""

import altair as alt
import numpy as np
import pandas as pd

from miatlas.leakage.privacy import tpr_limit

FLOOR = 1e-4
POINTS = 150
EPSILONS = (1.0, 2.0, 4.0)
COLOURS = ["#1f4e9c", "#c0392b", "#1e7b4f", "#8a5a00", "#6b3fa0", "#a0326e", "#00707a", "#555555"]


def thinned(curve: pd.DataFrame, floor: float) -> pd.DataFrame:
    """Return at most POINTS points of a curve (columns fpr, tpr), even on a log axis of FPR."""
    curve = curve[(curve["fpr"] >= floor) & (curve["tpr"] >= floor)]
    if len(curve) <= POINTS:
        return curve
    wanted = np.geomspace(max(curve["fpr"].min(), floor), 1.0, POINTS)
    places = np.searchsorted(curve["fpr"].to_numpy(), wanted).clip(max=len(curve) - 1)
    return curve.iloc[np.unique(places)]


def roc(curves: dict[str, pd.DataFrame], floor: float, few: float) -> dict:
    """Return the ROC curves on log axes, by the name shown, with guessing and limits of privacy.

    floor: the smallest rate drawn. few: below this FPR fewer than ten false accusations are
    allowed; that part is shaded.
    """
    parts = [thinned(curve, floor).assign(attack=name) for name, curve in curves.items()]
    points = pd.concat(parts)[["attack", "fpr", "tpr"]].round(6)
    x = alt.X("fpr:Q", title="False positive rate: non-members accused", axis=alt.Axis(format="~%"),
              scale=alt.Scale(type="log", domain=[floor, 1.0]))  # fmt: skip
    y = alt.Y("tpr:Q", title="True positive rate: members named", axis=alt.Axis(format="~%"),
              scale=alt.Scale(type="log", domain=[floor, 1.0]))  # fmt: skip
    colour = alt.Color(
        "attack:N",
        title=None,
        sort=list(curves),
        scale=alt.Scale(range=COLOURS),
        legend=alt.Legend(orient="bottom", columns=2, labelLimit=260),
    )
    tooltip = [
        alt.Tooltip("attack:N", title="Attack"),
        alt.Tooltip("fpr:Q", title="FPR", format=".3%"),
        alt.Tooltip("tpr:Q", title="TPR", format=".3%"),
    ]
    lines = alt.Chart(points).mark_line(interpolate="step-after", clip=True).encode(x, y, colour)
    hover = (
        alt.Chart(points).mark_circle(size=90, opacity=0.0).encode(x, y, colour, tooltip=tooltip)
    )  # what the pointer finds
    shade = (
        alt.Chart(pd.DataFrame({"fpr": [floor], "end": [max(few, floor)]}))
        .mark_rect(color="#999999", opacity=0.15)
        .encode(x, x2="end:Q")
    )
    return (
        alt.layer(shade, _limits(floor, x, y), lines, hover)
        .properties(width="container", height=380)
        .configure_axis(labelFontSize=13, titleFontSize=13, gridColor="#e5e5e5")
        .configure_legend(labelFontSize=13, symbolStrokeWidth=3)
        .to_dict()
    )


def _limits(floor, x, y):
    """Draw what guessing achieves (ε = 0), and the most that ε-privacy would leave."""
    fpr = np.geomspace(floor, 1.0, 60)
    rows = [
        {"fpr": a, "tpr": b, "limit": "guessing" if epsilon == 0 else f"limit at ε = {epsilon:g}"}
        for epsilon in (0.0, *EPSILONS)
        for a, b in zip(fpr, tpr_limit(fpr, epsilon), strict=True)
    ]
    return (
        alt.Chart(pd.DataFrame(rows).round(6))
        .mark_line(color="#888888", strokeDash=[4, 4], strokeWidth=1)
        .encode(x, y, detail="limit:N", tooltip=alt.Tooltip("limit:N", title="Limit"))
    )
