"""What an audit's attacks demand of its cohorts, as far as the study file tells.

Cohorts are entries of the study; what external ones hold is seen when they are read.
"""

import re

from miatlas.membership import made_for_each_target, partners
from miatlas.options import constant, required
from miatlas.reading import LIBRARY, reads

PROBED = re.compile(r"(target|refs|ref|reference)_(noise|gradients|distances)")


def probes(attack: str, side: str) -> set[str]:
    """Return the probes that an attack has answered by the "target" or the "shadow" cohort."""
    asked = [match.groups() for match in map(PROBED.fullmatch, reads(attack)) if match]
    whose = {"target": {"target"}, "shadow": {"refs", "ref"}, "reference": {"reference"}}[side]
    return {probe for who, probe in asked if who in whose}


def one_model_answers(attack: str, probe: str) -> bool:
    """Say whether an attack needs a probe's answers of a single shadow model only."""
    return not {f"target_{probe}", f"refs_{probe}", f"reference_{probe}"} & reads(attack)


def complaint(attack: dict, cohorts: dict, same: bool) -> str | None:
    """Say why an attack cannot run on the cohorts of an audit, by side; None if it can."""
    for check in (_references, _held_out, _relation, _probes, _queries):
        if wrong := check(attack, cohorts, same):
            return wrong
    return None


def _references(attack, cohorts, same):
    names, wanted, shadow = reads(attack["attack"]), attack["references"], cohorts["shadow"]
    compares = any(name.startswith("refs_") for name in names)
    if wanted and not compares:
        return f"references: {wanted}, but {attack['attack']} compares with no reference models"
    if wanted and wanted % 2 and "refs_in" in names and (same or not _learns(attack)):
        return f"references: {wanted} cannot be split into half IN and half OUT"
    if compares and "models" in shadow:
        own = len(partners(shadow["design"]["name"], 0)) if same else 0
        available = (made_for_each_target(shadow) if not same else None) or shadow["models"] - own
        if (wanted or 1) > available:
            left = " that are not the target's own" if same else ""
            return f"references: {wanted or 'all'}, but there are {available} models{left}"
    return None


def _held_out(attack, cohorts, same):
    """An attack reads them always, or where an option has the value in its constant HELD_OUT."""
    source = LIBRARY / "attacks" / f"{attack['attack']}.py"
    where = constant(source, "HELD_OUT") or {}
    needed = any("_held_out_" in name for name in required(source, "score"))
    if needed or any(attack["options"][key] == value for key, value in where.items()):
        for side in ("target", "shadow"):
            if cohorts[side].get("held_out") == 0:
                return f"{attack['attack']} needs held-out examples, but a cohort's held_out is 0"
    return None


def _relation(attack, cohorts, same):
    """Some attacks need a third cohort, or models that were made for the target."""
    name, shadow = attack["attack"], cohorts["shadow"]
    if any(n.startswith("reference_") for n in reads(name)) and not cohorts.get("reference"):
        return f"{name} calibrates with a third cohort, but the audit names no reference"
    kind = constant(LIBRARY / "attacks" / f"{name}.py", "COHORT")
    if kind == "distilled" and not shadow.get("teacher"):
        return f"{name} needs a shadow cohort distilled from the targets (teacher)"
    design = shadow.get("design", {}).get("name")
    if kind == "leave_one_out" and design != "leave_one_out":
        return f"{name} needs a shadow cohort of the design leave_one_out"
    if design == "leave_one_out" and "refs_in" in required(
        LIBRARY / "attacks" / f"{name}.py", "score"
    ):
        return f"{name} needs IN references, and models of the design leave_one_out are all OUT"
    return None


def _probes(attack, cohorts, same):
    for side, cohort in cohorts.items():
        wanted = sorted(probes(attack["attack"], side)) if cohort else []
        if wanted and "signals" in cohort:
            return f"{attack['attack']} asks models for {wanted[0]}, and {side} models are external"
    return None


def _queries(attack, cohorts, same):
    wanted = attack["options"].get("queries")
    asked = [c["queries"]["count"] for c in cohorts.values() if c and "queries" in c]
    if wanted and asked and wanted > min(asked):
        return f"queries: {wanted}, but the cohort's models answer {min(asked)}"
    return None


def _learns(attack):
    return bool(constant(LIBRARY / "attacks" / f"{attack['attack']}.py", "LESSONS", ()))
