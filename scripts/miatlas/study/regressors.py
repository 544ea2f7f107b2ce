"""The regressors that an audit's attacks ask for: their recipe, and whether they can be trained."""

from miatlas.audits.regressions import LAWS
from miatlas.study import example_kinds, plugins
from miatlas.study.attack_modules import said
from miatlas.study.plugin_entries import plugin_options

READS = {f"target_{array}": law for law, array in LAWS.items()}


def laws(attack: str, options: dict | None = None) -> set[str]:
    """Return the laws that an attack has regressed for its targets."""
    return {READS[name] for name in said(attack).read(options) if name in READS}


def recipe(study: dict, audit: str) -> dict:
    """Return the recipe of an audit's regressors: the one it names, or the targets' own, by Adam.

    Their best epoch is kept. What only makes sense of classes, or hides members, is left out.
    """
    entry = study["audits"][audit]
    found = study["recipes"][_named(study, entry)]
    if entry["regressor"] is None:
        adam = plugin_options({}, plugins.OPTIMIZERS, "adam", "regressor")
        found = found | {"optimizer": {"name": "adam", **adam}}
    without = {"label_smoothing": 0.0, "mixup": None, "privacy": None}
    return found | without | {"early_stopping": found["epochs"]}


def complaint(study: dict, entry: dict, attack: dict) -> str | None:
    """Say why an audit cannot train what an attack asks for; None if it can.

    `entry`: the audit's. What is said goes on from the attack's key, as in `demands.complaint`.
    """
    if not laws(attack["attack"], attack["options"]):
        return None
    cohort = study["cohorts"][entry["target"]]
    if "signals" in cohort:
        return " regresses on the examples themselves, and of external models there are none"
    population, name = study["populations"][cohort["population"]], _named(study, entry)
    if example_kinds.kind_of(population) == example_kinds.TEXT:
        return f" regresses on numbers, and examples of {population['source']} are words"
    if study["recipes"][name]["epochs"] is None:
        return f" trains a network by epochs, and the recipe {name} does not: name a regressor"
    if wrong := example_kinds.complaint(population, study["recipes"][name], cohort["queries"]):
        return f" cannot train its regressor: {wrong}"
    return None


def _named(study, entry):
    return entry["regressor"] or study["cohorts"][entry["target"]]["recipe"]
