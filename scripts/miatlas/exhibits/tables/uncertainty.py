"""What moves the advantage, cohort by cohort: factors, calibration, bounds, achieved (zhu2025)."""

from typing import Literal

import numpy as np
import pandas as pd

from miatlas.exhibits.evidence import Evidence, estimate, percent
from miatlas.exhibits.figures import disclosed
from miatlas.exhibits.tables import common
from miatlas.leakage import privacy

READS = ("metrics", "bounds", "scores")
NOTE = (
    "A, E: means over the examples; Δ: of the mean confidences; ECE: expected calibration error on"
    " what models were not trained on, and on what they were. Achieved: largest TPR - FPR of the"
    " likelihood-ratio attack; bound: mean over the examples of the tightest one; noise: what"
    " fits to as many models claim for equal laws (largest advantage; part of every bound)."
)
EPSILON = (
    "ε ≥: what (ε, 0)-differential privacy of the training would have to exceed, with 95 %"
    " confidence, by the calls of the attack at log-ratio 0 on all targets, which no judged model"
    " has chosen; Clopper-Pearson limits, as if calls were independent."
)
NOISE = "The largest TPR - FPR of one target without any signal is, in the mean, up to"
ADAPTIVE = (
    "DS with thresholds chosen for coverage: the attack reads each model's own, the bound is of one"
    " threshold for all, the mean of theirs or a fixed one."
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
    have the largest advantage between the fitted laws (optimum) as well, the lower limit of ε
    (`epsilon`), and the share of examples with a fit that did not converge.
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
            row |= _achieved(evidence, name, result, found) if found else {}
            cells |= _cells(row, name, found)
        numbers.append(row)
        shown.append(cells)
    shown = pd.DataFrame(shown)
    shown.attrs["notes"] = [
        NOTE,
        *_further_notes(evidence, over, results, shown["Cohort"], numbers),
    ]
    return pd.DataFrame(numbers), shown


def _facts(bounds):
    kept = {key: float(bounds[key].iloc[0]) for key in ("ece_out", "ece_in", "threshold")}
    means = {"epistemic_in": float(bounds["epistemic_in"].mean())}
    unconverged = float(1.0 - bounds["converged"].mean())
    return {**disclosed.factors_of(bounds), **means, **kept, "unconverged": unconverged}


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


def _achieved(evidence, name, result, found):
    scores = evidence.scores[result["audit"], result["label"]]
    return common.values(f"{name}_achieved", found) | {f"{name}_epsilon": _epsilon(**scores)}


def _epsilon(scores, member, evaluated, targets) -> float:  # (T, N) three times, (T,)
    """Return the lower 95 % limit of ε by the calls "score > 0" of all targets."""
    called = scores > 0
    counts = [
        part.sum()
        for kind in (member & evaluated, ~member & evaluated)
        for part in (called & kind, kind)
    ]
    return float(privacy.epsilon_at_least(*counts))


def _of_noise(evidence) -> float:
    """Return the mean of the largest TPR - FPR without a signal, for the fewest examples.

    Smirnov's law of m members' and n others' scores: P(D > d) = exp(-2 d² m n / (m + n)), whose
    mean is sqrt(π (1/m + 1/n) / 8); less where scores are tied.
    """
    counts = [
        (
            1 / (one["member"] & one["evaluated"]).sum(1)
            + 1 / (~one["member"] & one["evaluated"]).sum(1)
        )
        for one in evidence.scores.values()
    ]
    return float(np.sqrt(np.pi / 8 * max(each.max() for each in counts)))


def _cells(row, name, found):
    short = name.upper()
    bound = f"{row[f'{name}_bound']:.3f}"
    if f"{name}_floor" in row:
        bound += f" ({row[f'{name}_floor']:.3f})"
    return {
        f"{short} achieved": common.number(found) if found else common.NONE,
        f"{short} ε ≥": f"{row[f'{name}_epsilon']:.2f}" if found else common.NONE,
        f"{short} bound" + (" (noise)" if f"{name}_floor" in row else ""): bound,
    }


def _further_notes(evidence, over, results, names, numbers):
    notes = []
    if evidence.scores:
        largest = f"{_of_noise(evidence):.3f}: so much where examples are fewest."
        notes = [*common.notes(evidence.metrics, over, []), f"{NOISE} {largest}", EPSILON]
    used = [own["ds"]["options"] for own in results.values() if "ds" in own]
    if any(options.get("threshold") == "adaptive" for options in used):
        notes.append(ADAPTIVE)
    lost = [
        f"{name} {percent(round(row['unconverged'], 4))}"
        for name, row in zip(names, numbers, strict=True)
        if row["unconverged"] > 0
    ]
    return notes + ([f"Examples with a fit that did not converge: {', '.join(lost)}."] * bool(lost))
