"""Whether advantage and bounds follow each measured factor as zhu2025 says, with the tests.

The paper: the advantage falls as the calibration error falls and as either uncertainty rises.
"""

import math

import numpy as np
import pandas as pd
from scipy import stats

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.measured_factors import RISES, SYMBOLS, numbers
from miatlas.exhibits.tables import common

READS = ("bounds",)
SURE = 0.05
APPEARS, OPPOSITE, UNTOLD = "appears", "the other way", "not told"
NOTES = [
    "Cohorts stand at their measured means. Below the bound: cohorts whose interval of what is"
    " achieved reaches no higher than the mean of their tightest bounds, or holds it.",
    "Trend: Kendall's τ of a family's cohorts, in the direction that the paper gives (positive with"
    " Δ, negative with A and with E); p: exact, one-sided, of an order by lot. A trend appears, or"
    " goes the other way, where p is below 0.05 on that side; of nine such tests 0.45 would by"
    " chance.",
    "Others held: the slope of what is achieved in a linear fit to all three factors over all the"
    " cohorts, in standard errors (Student's t, one-sided).",
]


def tabulate(evidence: Evidence, *, factors: dict, cohort_names: dict = {}):
    """Return the numbers and the table shown, a row for each factor and disclosure.

    `cohort_names` is for the note that names them. Columns of the numbers: factor, disclosure,
    cohorts, lowest and highest (of the factor), below (cohorts whose achieved advantage is below
    its bound within error); for achieved and bound: <quantity>_tau, _p (one-sided, of the paper's
    direction) and _verdict; of the linear fit held_slope, held_t, held_p and held_verdict (nan with
    fewer than six cohorts).

    `factors`: for each of calibration, aleatoric and epistemic the cohorts of a family that is to
    move it.
    """
    data = numbers(evidence, factors)
    rows = []
    for (factor, name), own in data.groupby(["factor", "disclosure"], sort=False):
        held = others_held(data[data["disclosure"] == name], factor)
        rows.append({
            "factor": factor, "disclosure": name, "cohorts": len(own),
            "lowest": own["x"].min(), "highest": own["x"].max(), "below": _below(own),
            **trend(own, factor, "achieved"), **trend(own, factor, "bound"), **held,
        })  # fmt: skip
    shown = pd.DataFrame([_cells(row) for row in rows])
    shown.attrs["notes"] = [*map(_sentence, *_by_factor(rows)), *NOTES, _who(factors, cohort_names)]
    return pd.DataFrame(rows), shown


def trend(own: pd.DataFrame, factor: str, quantity: str) -> dict:
    """Return Kendall's τ of a quantity and the factor over cohorts, with p and the verdict."""
    known = own.dropna(subset=[quantity])
    if len(known) < 3:
        return _columns(quantity, "tau", math.nan, math.nan, math.nan)
    sign = 1 if RISES[factor] else -1
    x, y = known["x"].to_numpy(), sign * known[quantity].to_numpy()
    found, other = (
        stats.kendalltau(x, y, alternative=way) for way in ("greater", "less")
    )  # exact where nothing is tied
    return _columns(quantity, "tau", sign * found.statistic, found.pvalue, other.pvalue)


def others_held(own: pd.DataFrame, factor: str) -> dict:
    """Return the factor's slope in a linear fit of what is achieved to all factors (n, 3)."""
    own = own.drop_duplicates("cohort").dropna(subset=["achieved"])
    x = np.column_stack([np.ones(len(own)), own[list(SYMBOLS)].to_numpy()])
    free, place = len(own) - x.shape[1], 1 + list(SYMBOLS).index(factor)
    if free < 2 or np.linalg.matrix_rank(x) < x.shape[1]:
        return {"held_slope": math.nan, **_columns("held", "t", math.nan, math.nan, math.nan)}
    slopes = np.linalg.lstsq(x, own["achieved"].to_numpy())[0]
    rest = own["achieved"].to_numpy() - x @ slopes
    error = math.sqrt(np.linalg.inv(x.T @ x)[place, place] * (rest @ rest) / free)
    t = slopes[place] / error
    p = stats.t.sf(t if RISES[factor] else -t, free)
    return {"held_slope": slopes[place], **_columns("held", "t", t, p, 1 - p)}


def _columns(quantity, what, value, p, other):
    judged = APPEARS if p < SURE else OPPOSITE if other < SURE else UNTOLD
    return {f"{quantity}_{what}": value, f"{quantity}_p": p, f"{quantity}_verdict": judged}


def _below(own):
    """Return how many cohorts' achieved advantage is not above its bound beyond its interval."""
    return int((own["low"].fillna(own["achieved"]) <= own["bound"]).sum())


def _cells(row):
    said = {"achieved": "τ", "bound": "τ", "held": "t"}
    headings = {"achieved": "Achieved", "bound": "Bound", "held": "Achieved, others held"}
    return {
        "Factor": f"{SYMBOLS[row['factor']]} ({row['lowest']:.2g} to {row['highest']:.2g})",
        "Disclosure": row["disclosure"].upper(),
        "Below the bound": f"{row['below']} of {row['cohorts']}",
        **{heading: _said(row, quantity, said[quantity]) for quantity, heading in headings.items()},
    }


def _said(row, quantity, symbol):
    value = row[f"{quantity}_{'tau' if symbol == 'τ' else 't'}"]
    if math.isnan(value):
        return common.NONE
    return f"{row[f'{quantity}_verdict']} ({symbol} = {value:+.2f}, p = {row[f'{quantity}_p']:.3f})"


def _by_factor(rows):
    kinds = list(dict.fromkeys(row["factor"] for row in rows))
    return kinds, [[row for row in rows if row["factor"] == kind] for kind in kinds]


def _sentence(factor, rows):
    """Say in one sentence whether the paper's trend appears in what is achieved."""
    way = "rises" if RISES[factor] else "falls"
    parts = []
    for verdict, words in (
        (APPEARS, "this appears for"), (OPPOSITE, "it goes the other way for"),
        (UNTOLD, "no trend can be told for"),
    ):  # fmt: skip
        own = [row for row in rows if row["achieved_verdict"] == verdict]
        names = [f"{row['disclosure'].upper()} (p = {row['achieved_p']:.3f})" for row in own]
        parts += [f"{words} {', '.join(names)}"] * bool(names)
    symbol = SYMBOLS[factor]
    return f"By the paper the advantage {way} with {symbol}: {'; '.join(parts)}."


def _who(factors, names):
    said = (
        f"{SYMBOLS[factor]}: {', '.join(names.get(cohort, cohort) for cohort in factors[factor])}"
        for factor in SYMBOLS
        if factor in factors
    )
    return f"The cohorts of {'; '.join(said)}."
