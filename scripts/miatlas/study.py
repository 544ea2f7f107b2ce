"""A study, checked and completed, and the plain settings that each rule is given of it.

Nothing here imports torch, and nothing runs: what is wrong with a study is said, with the key at
fault, before the first job starts. The settings of a job hold all that its result depends on and
nothing else, so that a job reruns exactly when one of them changes; what only describes the extent
of a study (the number of models, of audits, ...) is in none of them.
"""

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

from miatlas import demands, entries
from miatlas.membership import complaint
from miatlas.populations.catalogue import missing_files

DEFAULT_TARGETS = 10


def read(config: Mapping) -> dict:
    """Return the study with every default filled in; raise ValueError naming the key at fault."""
    study = entries.section("study", deepcopy(dict(config)), "configuration")
    _check_name(study["study"], "study")
    for kind in ("population", "recipe", "cohort", "attack", "audit", "exhibit"):
        given, complete = study[f"{kind}s"], getattr(entries, kind)
        for name in given:
            _check_name(name, f"{kind}s")
        study[f"{kind}s"] = {n: complete(given[n], f"{kind}s.{n}") for n in sorted(given)}
    for check in (_check_cohort, _check_audit, _check_exhibit):
        plural = check.__name__.removeprefix("_check_") + "s"
        for name, entry in study[plural].items():
            check(study, entry, f"{plural}.{name}")
    return study


def _check_name(name, where):
    """Names become parts of file names, and are told apart in them."""
    if not isinstance(name, str) or not re.fullmatch(r"[\w-]+", name):
        raise ValueError(f"{where}: the name {name!r} must consist of letters, digits, _ and -")


def _check_cohort(study, cohort, where):
    if "signals" in cohort:
        return
    entries.one_of(cohort["population"], list(study["populations"]), f"{where}.population")
    entries.one_of(cohort["recipe"], list(study["recipes"]), f"{where}.recipe")
    design, models = cohort["design"], cohort["models"]
    wrong = complaint(design["name"], design, models)
    if wrong:
        raise ValueError(f"{where}.models: {wrong}, as the design {design['name']} demands")
    if models % cohort["block"]:
        raise ValueError(
            f"{where}.block: {models} models are not whole blocks of {cohort['block']}"
        )
    if study["recipes"][cohort["recipe"]]["early_stopping"] and not cohort["held_out"]:
        raise ValueError(f"{where}.held_out: early stopping needs held-out examples, but it is 0")
    population = study["populations"][cohort["population"]]
    if design["name"] == "canaries" and population["canaries"] is None:
        raise ValueError(f"{where}.design: the population {cohort['population']} has no canaries")


def _check_audit(study, audit, where):
    for side in ("target", "shadow"):
        entries.one_of(audit[side], list(study["cohorts"]), f"{where}.{side}")
    for label in audit["attacks"]:
        entries.one_of(label, list(study["attacks"]), f"{where}.attacks")
    target, shadow = (study["cohorts"][audit[side]] for side in ("target", "shadow"))
    if "models" in target:
        audit["targets"] = audit["targets"] or min(DEFAULT_TARGETS, target["models"])
        if audit["targets"] > target["models"]:
            raise ValueError(
                f"{where}.targets: {audit['targets']} targets, but the cohort {audit['target']}"
                f" has {target['models']} models"
            )
    for label in audit["attacks"]:
        attack = study["attacks"][label]
        source = entries.LIBRARY / "attacks" / f"{attack['attack']}.py"
        same = audit["target"] == audit["shadow"]
        if wrong := demands.complaint(source, attack, target, shadow, same):
            raise ValueError(f"{where}: attacks.{label}.{wrong}")
    if "models" in target and "models" in shadow and target["population"] != shadow["population"]:
        raise ValueError(f"{where}.shadow: target and shadow cohort are of different populations")


def _check_exhibit(study, exhibit, where):
    if exhibit["cohort"] is not None:
        entries.one_of(exhibit["cohort"], list(study["cohorts"]), f"{where}.cohort")
    for name in exhibit["audits"]:
        entries.one_of(name, list(study["audits"]), f"{where}.audits")
        for label, _ in exhibit["attacks"]:
            entries.one_of(label, study["audits"][name]["attacks"], f"{where}.attacks")


def missing(study: dict) -> list[str]:
    """Return a message for each file that the study reads from outside and that is not there."""
    data = [
        f"populations.{name}: {message}"
        for name, entry in study["populations"].items()
        for message in missing_files(entry["source"], entry["options"], study["data_root"])
    ]
    signals = [
        f"cohorts.{name}.signals: there is no file {entry['signals']}"
        for name, entry in study["cohorts"].items()
        if "signals" in entry and not Path(entry["signals"]).is_file()
    ]
    return data + signals


def trained(study: dict) -> list[str]:
    """Return the cohorts that the workflow trains."""
    return [name for name, entry in study["cohorts"].items() if "signals" not in entry]


def external(study: dict) -> list[str]:
    """Return the cohorts that come as a signals file."""
    return [name for name, entry in study["cohorts"].items() if "signals" in entry]


def exhibits(study: dict, kind: str) -> list[str]:
    """Return the exhibits of a kind: `figure` or `table`."""
    return [name for name, entry in study["exhibits"].items() if entry[kind]]


def blocks(study: dict, cohort: str) -> list[int]:
    """Return the block numbers of a cohort; an external one is a single block."""
    entry = study["cohorts"][cohort]
    return [0] if "signals" in entry else list(range(entry["models"] // entry["block"]))


def models(study: dict, cohort: str, block: str) -> list[int]:
    """Return the first model of a block and the one after its last."""
    size = study["cohorts"][cohort]["block"]
    return [int(block) * size, (int(block) + 1) * size]


def population_settings(study: dict, population: str) -> dict:
    """What a population file depends on."""
    own = {"name": population, "seed": study["seed"], "data_root": study["data_root"]}
    return {**own, **study["populations"][population]}


def role_settings(study: dict, cohort: str) -> dict:
    """What the roles of a cohort's examples depend on."""
    entry = study["cohorts"][cohort]
    return {
        "seed": study["seed"],
        "population": entry["population"],
        "held_out": entry["held_out"],
        "test": entry["test"],
    }


def membership_settings(study: dict, cohort: str, block: str) -> dict:
    """What the membership of a block depends on."""
    entry = study["cohorts"][cohort]
    return {
        "seed": study["seed"],
        "cohort": cohort,
        "population": entry["population"],
        "design": entry["design"],
        "models": models(study, cohort, block),
    }


def training_settings(study: dict, cohort: str, block: str) -> dict:
    """What the models of a block depend on."""
    recipe = study["recipes"][study["cohorts"][cohort]["recipe"]]
    own = {"seed": study["seed"], "cohort": cohort, "models": models(study, cohort, block)}
    return {**own, "recipe": recipe}


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
    }


def score_settings(study: dict, audit: str, label: str) -> dict:
    """What the scores of an audit's attack depend on."""
    entry = study["audits"][audit]
    design = study["cohorts"][entry["target"]].get("design", {"name": "external"})["name"]
    return {
        "seed": study["seed"],
        "audit": audit,
        "label": label,
        "same_cohort": entry["target"] == entry["shadow"],
        "target_cohort": entry["target"],
        "shadow_cohort": entry["shadow"],
        "design": design,
        "targets": entry["targets"],
        **study["attacks"][label],
    }


def external_settings(study: dict, cohort: str, block: str) -> dict:
    """What the accepted signals of an external cohort depend on, beside the file."""
    return {"cohort": cohort}


def metric_settings(study: dict, audit: str, label: str) -> dict:
    """What the metrics of an audit's attack depend on, beside its scores."""
    return {"audit": audit, "label": label}


def exhibit_settings(study: dict, exhibit: str) -> dict:
    """What an exhibit depends on, beside the files it reads."""
    entry = study["exhibits"][exhibit]
    cohorts = {entry["cohort"]} if entry["cohort"] else set()
    for name in entry["audits"]:
        cohorts |= {study["audits"][name][side] for side in ("target", "shadow")}
    made_of = "; ".join(f"{name}: {described(study, name)}" for name in sorted(cohorts))
    targets = {name: study["audits"][name]["targets"] or "all" for name in entry["audits"]}
    audits = "".join(f" Audit {name}: {count} targets." for name, count in targets.items())
    own = {"study": study["study"], "exhibit": exhibit}
    return {**own, **entry, "evidence": f"Made from the cohorts {made_of}.{audits}"}


def described(study: dict, cohort: str) -> str:
    """Say in words what a cohort is."""
    entry = study["cohorts"][cohort]
    if "signals" in entry:
        return "models of other software"
    return (
        f"{entry['models']} models of recipe {entry['recipe']} on {entry['population']},"
        f" design {entry['design']['name']}, {entry['queries']['count']} queries"
    )


def run_settings(study: dict) -> dict:
    """What the description of a run depends on, beside the files it reads."""
    cohorts = {name: {"what": described(study, name)} for name in study["cohorts"]}
    return {"study": study["study"], "seed": study["seed"], "cohorts": cohorts}


def canonical(settings: dict) -> dict:
    """Return the settings with sorted keys, as the plain types that JSON keeps."""
    return json.loads(json.dumps(settings, sort_keys=True))
