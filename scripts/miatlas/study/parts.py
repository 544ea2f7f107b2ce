"""Cohorts that draw from a part of their population alone (`only`), and what stands beside them."""

from miatlas.options import constant
from miatlas.study.plugins import SOURCES

ONE_CUT = ("disjoint", "six_way")  # designs by which all cohorts cut one pool


def complaint(cohort: dict, population: dict) -> str | None:
    """Say why a cohort cannot be restricted as it asks for, going on from its key `only`."""
    if cohort["only"] is None:
        return None
    source = population["source"]
    parts = constant(SOURCES.source(source), "PARTS", ())
    if not parts:
        return f": the source {source} has no parts"
    wrong = [name for name in cohort["only"] if name not in parts]
    if wrong or not cohort["only"]:
        named = repr(wrong[0]) if wrong else "nothing"
        return f": {named} is no part of {source}, whose parts are {', '.join(parts)}"
    if population["canaries"]:
        return ": canaries are of no part, so that no model would train on them"
    return None


def apart(target: dict, other: dict) -> str | None:
    """Say why two cohorts of different parts cannot be audited together; None if they can."""
    if target.get("only") == other.get("only"):
        return None
    for cohort in (target, other):
        if (name := cohort["design"]["name"]) in ONE_CUT:
            return f"the design {name} cuts one pool for both, but they differ in `only`"
    return None


def unseen(target: dict, shadow: dict) -> bool:
    """Say whether targets are audited on examples of a part that no shadow model trains on."""
    seen = shadow.get("only")
    return seen is not None and not set(target.get("only") or "*") <= set(seen)
