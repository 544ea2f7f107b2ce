"""The plain settings that each job is given of a study.

They hold all that its result depends on and nothing else, so that a job reruns exactly when one of
them changes; what only describes the extent of a study (the number of models, of audits, ...) is in
none of them.
"""

import json
import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from miatlas.designs.relations import made_for_each_target
from miatlas.populations.catalogue import brought_files
from miatlas.running.plugins import is_file
from miatlas.study import releases
from miatlas.study.attack_modules import said
from miatlas.study.stand_ins import stand_ins


def models(study: dict, cohort: str, block: str) -> list[int]:
    """Return the first model of a block and the one after its last."""
    size = study["cohorts"][cohort]["block"]
    return [int(block) * size, (int(block) + 1) * size]


def population_settings(study: dict, population: str) -> dict:
    """What a population file depends on."""
    own = {"name": population, "seed": study["seed"], "data_root": study["data_root"]}
    return {**own, **study["populations"][population]}


def data_files(study: dict, population: str) -> list[Path]:
    """The files of the user's own that a population is read from, what canaries are of included."""
    entry, root = study["populations"][population], study["data_root"]
    other = entry["canaries"] and entry["canaries"]["other"]
    return [
        file
        for each in filter(None, (entry, other))
        for file in brought_files(each["source"], each["options"], root)
    ]


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


def list_files(study: dict, cohort: str, block: str) -> list[str]:
    """The lists of members of released models, which their user brings."""
    entry = study["cohorts"][cohort]
    return [*entry["members"], *entry["nonmembers"]]


def released_files(study: dict, cohort: str, block: str) -> list[str]:
    """The weights of released models, which their user brings."""
    return study["cohorts"][cohort]["weights"]


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
        "design": entry["design"],
        "models": models(study, cohort, block),
    }


def training_settings(study: dict, cohort: str, block: str) -> dict:
    """What the models of a block depend on."""
    recipe = study["recipes"][study["cohorts"][cohort]["recipe"]]
    own = {"seed": study["seed"], "cohort": cohort, "models": models(study, cohort, block)}
    teacher = study["cohorts"][cohort]["teacher"]
    return {**own, "recipe": recipe, "teacher": teacher, "torch": installed("torch")}


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


def score_settings(study: dict, audit: str, label: str) -> dict:
    """What the scores of an audit's attack depend on."""
    entry = study["audits"][audit]
    designs = [study["cohorts"][entry[s]].get("design", {"name": ""}) for s in ("target", "shadow")]
    design, shadow = designs[0]["name"], designs[1]
    others = stand_ins(study, audit, label)
    return {
        "seed": study["seed"],
        "audit": audit,
        "label": label,
        "target_cohort": entry["target"],
        "shadow_cohort": entry["shadow"],
        "reference_cohort": entry["reference"],
        "design": design,
        "group": designs[0].get("group"),
        "per_target": per_target(study, audit),
        "leave_one_out": shadow["name"] == "leave_one_out",
        "targets": entry["targets"],
        **({"stand_ins": others} if others else {}),
        **releases.said(entry["release"]),
        **study["attacks"][label],
    }


def per_target(study: dict, audit: str) -> dict[str, int]:
    """How many models of an audit's cohorts were made for each target, where they were."""
    entry = study["audits"][audit]
    sides = {side: study["cohorts"][entry[side]] for side in ("shadow", "reference") if entry[side]}
    made = {side: made_for_each_target(cohort) for side, cohort in sides.items()}
    return {side: k for side, k in made.items() if k and entry[side] != entry["target"]}


def bound_settings(study: dict, cohort: str) -> dict:
    """What the bounds of a cohort depend on, beside its signals."""
    return {"seed": study["seed"], "cohort": cohort, "bounds": study["cohorts"][cohort]["bounds"]}


def external_settings(study: dict, cohort: str, block: str) -> dict:
    """What the accepted signals of an external cohort depend on, beside the file."""
    return {"cohort": cohort, "paired": "design" in study["cohorts"][cohort]}


def external_files(study: dict, cohort: str, block: str) -> list[str]:
    """The file of the user's own that an external cohort is."""
    return [study["cohorts"][cohort]["signals"]]


def metric_settings(study: dict, audit: str, label: str) -> dict:
    """What the metrics of an audit's attack depend on, beside its scores."""
    return {"audit": audit, "label": label}


def exhibit_settings(study: dict, exhibit: str) -> dict:
    """What an exhibit depends on, beside the files it reads."""
    entry = study["exhibits"][exhibit]
    cohorts = {entry["cohort"], *entry["cohorts"]} - {None}
    for name in entry["audits"]:
        cohorts |= set(sides(study, entry)[name].values())
    made_of = "; ".join(f"{name}: {described(study, name)}" for name in sorted(cohorts))
    targets = {name: study["audits"][name]["targets"] or "all" for name in entry["audits"]}
    released = {name: releases.described(study["audits"][name]["release"]) for name in targets}
    audits = "".join(f" Audit {n}: {count} targets{released[n]}." for n, count in targets.items())
    own = {"study": study["study"], "exhibit": exhibit}
    if {"scale", "costs"} & set(entry["reads"]):
        own |= {
            "scale": {c: scale(study, c) for c in sorted(cohorts)},
            "sides": sides(study, entry),
        }
    return {**own, **entry, "evidence": f"Made from the cohorts {made_of}.{audits}"}


def answer_settings(study: dict) -> dict:
    """What the page that answers depends on, beside the files it reads."""
    own = {key: study[key] for key in ("study", "seed", "tolerance", "show_records")}
    return {**own, "audits": {name: _answered(study, name) for name in study["audits"]}}


def _answered(study, name):
    """Say what an audit is, and what its attacks are called."""
    entry = study["audits"][name]
    about = f"{entry['targets'] or 'all'} targets of {described(study, entry['target'])}"
    if entry["shadow"] != entry["target"]:
        about += f"; shadow models: {described(study, entry['shadow'])}"
    about += releases.described(entry["release"])
    attacks = {
        label: _called(label, study["attacks"][label]["attack"]) for label in entry["attacks"]
    }
    return {"about": f"{about}.", "attacks": attacks}


def _called(label, attack):
    """Return an attack's title; with its label where that is not the name of its file."""
    title = said(attack).title
    return title if label == Path(attack).stem else f"{title} ({label})"


def described_attacks(study: dict, exhibit: str) -> list[str]:
    """The modules that an exhibit reads beside its own: attacks whose code it describes."""
    entry = study["exhibits"][exhibit]
    if "attacks" not in entry["reads"]:
        return []
    return sorted({code_of("attacks", study["attacks"][n]["attack"]) for n, _ in entry["attacks"]})


def sides(study: dict, exhibit: dict) -> dict[str, dict[str, str]]:
    """The cohorts of an exhibit's audits, by side."""
    named = ("target", "shadow", "reference")
    audits = {name: study["audits"][name] for name in exhibit["audits"]}
    return {name: {s: audit[s] for s in named if audit[s]} for name, audit in audits.items()}


def scale(study: dict, cohort: str) -> dict:
    """What a cohort is, as far as the study tells: what numbers of others are compared with."""
    entry = study["cohorts"][cohort]
    if "signals" in entry:
        return {"architecture": "unknown", "source": "unknown"}
    recipe = study["recipes"][entry["recipe"]]
    return {
        "models": entry["models"],
        "epochs": recipe["epochs"],
        "architecture": recipe["architecture"]["name"],
        "source": study["populations"][entry["population"]]["source"],
        "per_target": made_for_each_target(entry),
        "queries": entry["queries"]["count"],
    }


def described(study: dict, cohort: str) -> str:
    """Say in words what a cohort is."""
    entry = study["cohorts"][cohort]
    if "signals" in entry:
        return "models of other software" + (", in pairs" if "design" in entry else "")
    whose = f" (those of {entry['models_of']})" if entry["models_of"] else ""
    warm = entry["queries"]["temperature"]
    made = f", design {entry['design']['name']}"
    if "weights" in entry:
        made = f", released as {', '.join(Path(file).name for file in entry['weights'][:3])}"
    return (
        f"{entry['models']} models{whose} of recipe {entry['recipe']} on {entry['population']}"
        f"{made}, queries per example: {entry['queries']['count']}"
        + (f", temperature {warm:g}" if warm != 1.0 else "")
    )


def run_settings(study: dict) -> dict:
    """What the description of a run depends on, beside the files it reads."""
    entries = study["cohorts"].values()
    recipes = sorted({entry["recipe"] for entry in entries if "recipe" in entry})
    labels = sorted({label for audit in study["audits"].values() for label in audit["attacks"]})
    shown = ("figure", "table", "audits", "cohort", "cohorts", "options")
    return {
        "study": study["study"],
        "seed": study["seed"],
        "cohorts": {name: {"what": described(study, name)} for name in study["cohorts"]},
        "recipes": {name: study["recipes"][name] for name in recipes},
        "attacks": {label: study["attacks"][label] for label in labels},
        "audits": study["audits"],
        "exhibits": {
            name: {key: entry[key] for key in shown} | {"attacks": [n for n, _ in entry["attacks"]]}
            for name, entry in study["exhibits"].items()
        },
    }


def canonical(settings: dict) -> dict:
    """Return the settings with sorted keys, as the plain types that JSON keeps."""
    return json.loads(json.dumps(settings, sort_keys=True))
