"""The perturbed points that an audit's attacks ask for, and whether they can be found."""

from miatlas.study import example_kinds, plugins
from miatlas.study.attack_modules import said


def asked(attack: str, options: dict | None = None) -> bool:
    """Say whether an attack reads what models answer at perturbed points."""
    return any(name.endswith("_perturbed") for name in said(attack).read(options))


def complaint(study: dict, entry: dict, attack: dict) -> str | None:
    """Say why no points can be found for an attack of an audit; None if they can.

    `entry`: the audit's. What is said goes on from the attack's key, as in `demands.complaint`.
    """
    if not asked(attack["attack"], attack["options"]):
        return None
    for side in ("target", "shadow"):
        cohort = study["cohorts"][entry[side]]
        if "signals" in cohort:
            return f" asks models about points of its own, and {side} models are external"
        name = study["recipes"][cohort["recipe"]]["architecture"]["name"]
        if plugins.is_estimator(name):
            return f" asks networks for gradients, and {side} models are estimators"
        if plugins.is_program(name):
            return f" asks networks for gradients, and {side} models are programs ({name})"
        if example_kinds.kind_of(study["populations"][cohort["population"]]) == example_kinds.TEXT:
            return " moves examples a little, which makes no words of words"
    return None
