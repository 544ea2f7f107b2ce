"""What moves the advantage, cohort by cohort: factors, calibration, bounds, achieved (zhu2025)."""

from typing import Literal

import pandas as pd

from miatlas.exhibits import Evidence, estimate
from miatlas.figures import disclosed
from miatlas.tables import common

READS = ("metrics", "bounds")
NOTE = (
    "A, E: means over the examples; Δ: of the mean confidences; ECE: expected calibration error on"
    " what models were not trained on, and on what they were. Achieved: largest TPR - FPR of the"
    " likelihood-ratio attack; bound: mean over the examples of the tightest one; noise: what"
    " fits to as many models claim for equal laws (largest advantage; part of every bound)."
)


def tabulate(
    evidence: Evidence,
    *,
    disclosures: dict = {},
    over: Literal["mean", "pooled"] = "mean",
    cohort_names: dict = {},
):
    """Return the numbers and the table shown, a row for each cohort of the bounds.

    `disclosures` as in the figure `uncertainty_cohorts`, `over` as in `exhibits.estimate`. Where no
    attack on a disclosure has targets of the cohort, its achieved advantage is a dash. The numbers
    have the largest advantage between the fitted laws (optimum) as well.
    """
    results = disclosed.results_of(evidence, disclosures)
    if not evidence.bounds:
        raise ValueError("there are no bounds to show")
    numbers, shown = [], []
    for cohort in evidence.bounds:
        bounds = disclosed.bounds_of(evidence, cohort)
        row = {"cohort": cohort, "examples": len(bounds), **_facts(bounds)}
        cells = {"Cohort": cohort_names.get(cohort, cohort), **_shown(row)}
        for name in disclosed.NAMES:
            row |= _bounds(bounds, name)
            result = results.get(cohort, {}).get(name)
            found = estimate(result, "advantage", over=over) if result else None
            row |= common.values(f"{name}_achieved", found) if found else {}
            cells |= _cells(row, name, found)
        numbers.append(row)
        shown.append(cells)
    shown = pd.DataFrame(shown)
    shown.attrs["notes"] = [NOTE, *_interval_note(evidence, over)]
    return pd.DataFrame(numbers), shown


def _facts(bounds):
    kept = {key: float(bounds[key].iloc[0]) for key in ("ece_out", "ece_in", "threshold")}
    means = {"epistemic_in": float(bounds["epistemic_in"].mean())}
    return {**disclosed.factors_of(bounds), **means, **kept}


def _shown(row):
    return {
        "A": f"{row['aleatoric']:.3f}",
        "Δ": f"{row['calibration']:.3f}",
        "E": f"{row['epistemic']:.3f}",
        "ECE out / in": f"{row['ece_out']:.3f} / {row['ece_in']:.3f}",
    }


def _bounds(bounds, name):
    keys = [key for key in ("bound", "optimum", "floor") if f"{name}_{key}" in bounds]
    return {f"{name}_{key}": float(bounds[f"{name}_{key}"].mean()) for key in keys}


def _cells(row, name, found):
    short = name.upper()
    bound = f"{row[f'{name}_bound']:.3f}"
    if f"{name}_floor" in row:
        bound += f" ({row[f'{name}_floor']:.3f})"
    return {
        f"{short} achieved": common.number(found) if found else common.NONE,
        f"{short} bound" + (" (noise)" if f"{name}_floor" in row else ""): bound,
    }


def _interval_note(evidence, over):
    return common.notes(evidence.metrics, over, []) if evidence.metrics else []
