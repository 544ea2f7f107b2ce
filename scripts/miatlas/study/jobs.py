"""The plain settings that each job is given of a study.

They hold all that its result depends on and nothing else, so that a job reruns exactly when one of
them changes; what only describes the extent of a study (the number of models, of audits, ...) is in
none of them.
"""

import json
import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from miatlas.designs.relations import groups_until
from miatlas.running.plugins import is_file
from miatlas.study.contents import beside_external, owner


def models(study: dict, cohort: str, block: str) -> list[int]:
    """Return the first model of a block and the one after its last."""
    size = study["cohorts"][cohort]["block"]
    return [int(block) * size, (int(block) + 1) * size]


def population_settings(study: dict, population: str) -> dict:
    """What a population file depends on."""
    own = {"name": population, "seed": study["seed"], "data_root": study["data_root"]}
    return {**own, **study["populations"][population]}


def canary_sources(study: dict, population: str) -> list[str]:
    """The module that a population's canaries are read by, if they are of another population."""
    canaries = study["populations"][population]["canaries"]
    other = canaries and canaries["other"]
    return [code_of("populations", other["source"])] if other else []


def code_of(folder: str, name: str) -> str:
    """Return the file of a plug-in: below the library's folder, or the user's own at its place."""
    return os.path.abspath(name) if is_file(name) else f"miatlas/{folder}/{name}.py"


def role_settings(study: dict, cohort: str) -> dict:
    """What the roles of a cohort's examples depend on."""
    entry = study["cohorts"][cohort]
    return {
        "seed": study["seed"],
        "population": entry["population"],
        "held_out": entry["held_out"],
        "test": entry["test"],
    }


def list_settings(study: dict, cohort: str, block: str) -> dict:
    """What the membership of released models depends on, beside the lists."""
    return {"cohort": cohort, "models": study["cohorts"][cohort]["models"]}


def released_settings(study: dict, cohort: str, block: str) -> dict:
    """What the accepted weights of released models depend on, beside their files."""
    entry = study["cohorts"][cohort]
    recipe = study["recipes"][entry["recipe"]]
    return {
        "cohort": cohort,
        "models": entry["models"],
        "architecture": recipe["architecture"],
        "at_chance": entry["at_chance"],
    }


def membership_settings(study: dict, cohort: str, block: str) -> dict:
    """What the membership of a block depends on."""
    entry = study["cohorts"][cohort]
    return {
        "seed": study["seed"],
        "cohort": cohort,
        "population": entry["population"],
        "design": _drawn_so_far(entry["design"], models(study, cohort, block)[1] - 1),
        "models": models(study, cohort, block),
        **({"only": entry["only"]} if entry["only"] else {}),
        **({} if owner(study, cohort) == cohort else {"members_of": owner(study, cohort)}),
    }


def _drawn_so_far(design, last):
    """Return a design without the groups behind a model's: those that a cohort grew by later."""
    if not design.get("group"):
        return design
    return {**design, "group": groups_until(design["group"], last)}


def training_settings(study: dict, cohort: str, block: str) -> dict:
    """What the models of a block depend on."""
    recipe = study["recipes"][study["cohorts"][cohort]["recipe"]]
    own = {"seed": study["seed"], "cohort": cohort, "models": models(study, cohort, block)}
    teacher = study["cohorts"][cohort]["teacher"]
    software = {"torch": installed("torch")}
    software |= {"opacus": installed("opacus")} if recipe["privacy"] else {}
    return {**own, "recipe": recipe, "teacher": teacher, **software}


@cache
def installed(package: str) -> str:
    """Return the version of a package, without importing it; "" where only the jobs have it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def signal_settings(study: dict, cohort: str, block: str) -> dict:
    """What the signals of a block depend on."""
    entry = study["cohorts"][cohort]
    recipe = study["recipes"][entry["recipe"]]
    return {
        "cohort": cohort,
        "models": models(study, cohort, block),
        "architecture": recipe["architecture"],
        "engine": recipe["engine"],
        "queries": entry["queries"],
        **({"every_query": True} if beside_external(study, cohort) else {}),
    }


def probe_settings(study: dict, cohort: str, probe: str, block: str) -> dict:
    """What the answers of a block to a probe depend on."""
    entry = study["cohorts"][cohort]
    recipe = study["recipes"][entry["recipe"]]
    return {
        "seed": study["seed"],
        "cohort": cohort,
        "models": models(study, cohort, block),
        "architecture": recipe["architecture"],
        "engine": recipe["engine"],
        "probe": probe,
        "options": entry["probes"][probe],
    }


def bound_settings(study: dict, cohort: str) -> dict:
    """What the bounds of a cohort depend on, beside its signals."""
    return {"seed": study["seed"], "cohort": cohort, "bounds": study["cohorts"][cohort]["bounds"]}


def external_settings(study: dict, cohort: str, block: str) -> dict:
    """What the accepted signals of an external cohort depend on, beside the file."""
    return {"cohort": cohort, "paired": "design" in study["cohorts"][cohort]}


def canonical(settings: dict) -> dict:
    """Return the settings with sorted keys, as the plain types that JSON keeps."""
    return json.loads(json.dumps(settings, sort_keys=True))
