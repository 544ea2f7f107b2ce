"""What moves the advantage, cohort by cohort: factors, calibration, bounds, achieved (zhu2025)."""

import math

import pandas as pd

from miatlas.exhibits.evidence import Evidence, percent
from miatlas.exhibits.figures import disclosed
from miatlas.exhibits.tables import common
from miatlas.leakage import privacy

READS = ("metrics", "bounds", "scores")
NOTE = (
    "A, E: means over the examples; Δ: of the mean confidences; ECE: expected calibration error on"
    " what models were not trained on, and on what they were. Achieved: TPR - FPR of the"
    " likelihood-ratio test at 0, by models that it was not fitted to, the mean over the examples,"
    " with its 95 % interval (of this population: examples and models drawn); bound: mean over"
    " the examples of the tightest one; noise: what fits to as many models claim for equal laws"
    " (largest advantage; part of every bound)."
)
EPSILON = (
    "ε ≥: what (ε, 0)-differential privacy of the training would have to exceed, with 95 %"
    " confidence, by the calls of the attack at log-ratio 0 on all targets, which no judged model"
    " has chosen; Clopper-Pearson limits, as if calls were independent."
)
ADAPTIVE = (
    "DS with thresholds chosen for coverage: the attack reads each model's own, the bound is of one"
    " threshold for all, the mean of theirs or a fixed one."
)


def tabulate(
    evidence: Evidence,
    *,
    disclosures: dict = {},
    cohort_names: dict = {},
):
    """Return the numbers and the table shown, a row for each cohort of the bounds.

    achieved: as in the figure `uncertainty_cohorts`; ε is of the attack on the disclosure
    (`disclosures` as in the figure `roc_limits`), a dash where none has targets of the cohort. The
    numbers have the largest advantage between the fitted laws (optimum) as well, the lower limit of
    ε (`epsilon`), and the share of examples with a fit that did not converge. A mean bound of which
    more than `disclosed.MISSING` of the examples are not estimated is not estimated either.

    `cohort_names`: cohort -> the name shown. `disclosures`: cv, tlc, ds -> the label of the attack
    on it; lira_cv, lira_tlc and lira_ds need not be named.
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
            found, result = disclosed.achieved(bounds, name), results.get(cohort, {}).get(name)
            row |= _bounds(bounds, name) | common.values(f"{name}_achieved", found)
            if result:
                scores = evidence.scores[result["audit"], result["label"]]
                row[f"{name}_epsilon"] = _epsilon(**scores)
            cells |= _cells(row, name, found)
        numbers.append(row)
        shown.append(cells)
    shown = pd.DataFrame(shown)
    shown.attrs["notes"] = [NOTE, *_further_notes(evidence, results, shown["Cohort"], numbers)]
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
    means = {f"{name}_{key}": disclosed.mean(bounds, f"{name}_{key}") for key in keys}
    return means | {f"{name}_not_estimated": float(bounds[f"{name}_bound"].isna().mean())}


def _epsilon(scores, member, evaluated, targets) -> float:  # (T, N) three times, (T,)
    """Return the lower 95 % limit of ε by the calls "score > 0" of all targets."""
    called = scores > 0
    counts = [
        part.sum()
        for kind in (member & evaluated, ~member & evaluated)
        for part in (called & kind, kind)
    ]
    return float(privacy.epsilon_at_least(*counts))


def _cells(row, name, found):
    short, epsilon = name.upper(), row.get(f"{name}_epsilon")
    known = not math.isnan(row[f"{name}_bound"])
    bound = f"{row[f'{name}_bound']:.3f}" if known else "not estimated"
    if f"{name}_floor" in row:
        bound += f" ({row[f'{name}_floor']:.3f})"
    return {
        f"{short} achieved": common.NONE if math.isnan(found.value) else common.number(found),
        f"{short} ε ≥": common.NONE if epsilon is None else f"{epsilon:.2f}",
        f"{short} bound" + (" (noise)" if f"{name}_floor" in row else ""): bound,
    }


def _further_notes(evidence, results, names, numbers):
    notes = [EPSILON] if evidence.scores else []
    used = [own["ds"]["options"] for own in results.values() if "ds" in own]
    if any(options.get("threshold") == "adaptive" for options in used):
        notes.append(ADAPTIVE)
    said = {"unconverged": "Examples with a fit that did not converge"}
    said |= {
        f"{name}_not_estimated": f"Examples whose {name.upper()} bound draws cannot tell"
        for name in disclosed.NAMES
    }
    for key, what in said.items():
        lost = [
            f"{name} {percent(round(row[key], 4))}"
            for name, row in zip(names, numbers, strict=True)
            if row[key] > 0
        ]
        notes += [f"{what}: {', '.join(lost)}."] * bool(lost)
    return notes
