"""What an audit's attacks demand of its cohorts, as far as the study file tells."""

from miatlas.membership import partners
from miatlas.options import inputs, required


def complaint(source, attack: dict, target: dict, shadow: dict, same: bool) -> str | None:
    """Say why an attack, whose module is at `source`, cannot run; None if it can.

    attack, target, shadow: entries of the study; what external ones hold is seen when read.
    """
    reads = inputs(source, "score")
    compares = any(name.startswith("refs_") for name in reads)
    wanted = attack["references"]
    if wanted and not compares:
        return f"references: {wanted}, but {attack['attack']} compares with no reference models"
    if wanted and wanted % 2 and "refs_in" in reads:
        return f"references: {wanted} cannot be split into half IN and half OUT"
    if compares and "models" in shadow:
        own = len(partners(shadow["design"]["name"], 0)) if same else 0
        available = shadow["models"] - own
        if (wanted or 1) > available:
            left = " that are not the target's own" if same else ""
            return f"references: {wanted or 'all'}, but there are {available} models{left}"
    held_out = any("_held_out_" in name for name in required(source, "score"))
    if held_out or attack["options"].get("population") == "held_out":
        for cohort in (target, shadow):
            if cohort.get("held_out") == 0:
                return f"{attack['attack']} needs held-out examples, but a cohort's held_out is 0"
    return _queries_complaint(attack["options"].get("queries"), target, shadow)


def _queries_complaint(wanted, *cohorts):
    asked = [cohort["queries"]["count"] for cohort in cohorts if "queries" in cohort]
    if wanted and asked and wanted > min(asked):
        return f"queries: {wanted}, but the cohort's models answer {min(asked)}"
    return None
