"""What the tables share: cells, headings, the note below."""

import math

from miatlas.exhibits.evidence import Estimate, Evidence, estimate, percent

BELOW, FEW = "†", "‡"
TRANSFERRED = "transferred"
NONE = "–"
NOTES = {
    "mean": "Mean over the targets; 95 % intervals for this population: other models, and other"
    " examples of the kind. The CSV file has those for these examples, too (examples_low, _high).",
    "pooled": "One threshold for all targets together; 95 % intervals for this population: other"
    " models, other examples of the kind.",
    "single": "One target; 95 % intervals for this population: this model, other examples of the"
    " kind.",
    BELOW: f"{BELOW} FPR below what the number of non-members resolves: TPR at no false positive.",
    FEW: f"{FEW} Fewer than ten false positives allowed: the best threshold in hindsight flatters.",
    TRANSFERRED: "Transferred: at a threshold taken from other models (the other targets, or shadow"
    " models in the place of a single one), as an attacker has it, with the FPR it attains; all"
    " else is at the best threshold in hindsight, as papers print it.",
}


def heading(level: float) -> str:
    """Return the heading of a column of TPRs."""
    return f"TPR @ {percent(level)} FPR"


def of_audit(evidence: Evidence, audit: str, names: dict) -> dict:
    """Return the cell that names a row's audit; none where every attack has rows of one audit."""
    labels = [label for _, label in evidence.pairs()]
    return {"Audit": names.get(audit, audit)} if len(set(labels)) < len(labels) else {}


def rate(estimate: Estimate) -> str:
    """Return a rate in percent with its interval, flagged where it is below the resolution."""
    numbers = [100 * x for x in (estimate.value, estimate.low, estimate.high)]
    digits = 1 if numbers[0] >= 0.95 else 2
    if math.isnan(estimate.value):
        return NONE
    flag = f" {BELOW}" if estimate.below_resolution else f" {FEW}" if estimate.few else ""
    return _with_interval(numbers, digits, " %") + flag


def side_by_side(result: dict, quantity: str, level, over: str) -> tuple[Estimate, Estimate]:
    """Return an estimate at the best threshold in hindsight, and at the transferred one."""
    transferred = estimate(result, quantity, level, threshold=TRANSFERRED)
    return estimate(result, quantity, level, over), transferred


def is_transferred(evidence: Evidence) -> bool:
    """Say whether any result has rates at transferred thresholds, so that a table shows them."""
    return any(result["mean"]["transferred"] for result in evidence.metrics)


def transferred_rate(estimate: Estimate) -> str:
    """Return a rate at a transferred threshold, with the FPR attained where it is a TPR."""
    fpr = estimate.realised_fpr
    return rate(estimate) + ("" if math.isnan(fpr) else f" at {percent(float(f'{fpr:.2g}'))}")


def both_cells(heading: str, hindsight: Estimate, transferred: Estimate, shown: bool) -> dict:
    """Return the cells of a rate: in hindsight, and if it is shown at the transferred threshold."""
    beside = {f"{heading}, {TRANSFERRED}": transferred_rate(transferred)} if shown else {}
    return {heading: rate(hindsight), **beside}


def no_cells(heading: str, shown: bool) -> dict:
    """Return the cells of a rate that is not there."""
    return dict.fromkeys([heading, *([f"{heading}, {TRANSFERRED}"] if shown else [])], NONE)


def number(estimate: Estimate) -> str:
    """Return a number between 0 and 1 with its interval."""
    return _with_interval([estimate.value, estimate.low, estimate.high], 3, "")


def _with_interval(numbers, digits, unit):
    value, low, high = (f"{x:.{digits}f}" for x in numbers)
    return value + unit + ("" if math.isnan(numbers[1]) else f" [{low}, {high}]")


def notes(
    results: list[dict], over: str, estimates: list[Estimate], transferred: bool = False
) -> list[str]:
    """Return the lines to put below a table: what the intervals and flags mean.

    `transferred`: and the columns at transferred thresholds, where it has them.
    """
    single = all(len(result["targets"]) == 1 for result in results)
    flags = {
        BELOW: any(estimate.below_resolution for estimate in estimates),
        FEW: any(estimate.few and not estimate.below_resolution for estimate in estimates),
    }
    said = [NOTES["single" if single else over], *(NOTES[key] for key, is_ in flags.items() if is_)]
    reasons = dict.fromkeys(filter(None, (result["not_transferred"] for result in results)))
    said += [f"{reason[0].upper()}{reason[1:]}." for reason in reasons]
    return said + [NOTES[TRANSFERRED]] * transferred


def both_values(prefix: str, hindsight: Estimate, transferred: Estimate, fpr=True) -> dict:
    """Return the columns of a rate in hindsight, and of that at the transferred threshold."""
    beside = values(f"{prefix}_{TRANSFERRED}", transferred, fpr)
    return values(prefix, hindsight, fpr) | beside


def values(prefix: str, estimate: Estimate, fpr: bool = False) -> dict:
    """Return the columns of one estimate for the table of numbers."""
    columns = {
        prefix: estimate.value,
        f"{prefix}_low": estimate.low,
        f"{prefix}_high": estimate.high,
        f"{prefix}_examples_low": estimate.examples_low,
        f"{prefix}_examples_high": estimate.examples_high,
    }
    if fpr:
        columns[f"{prefix}_realised_fpr"] = estimate.realised_fpr
        columns[f"{prefix}_below_resolution"] = estimate.below_resolution
    return columns
