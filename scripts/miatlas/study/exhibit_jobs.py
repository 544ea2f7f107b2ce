"""The plain settings of the jobs that show results, and what they say of how these were made."""

from pathlib import Path

from miatlas.designs.relations import made_for_each_target
from miatlas.study import private_recipes, releases
from miatlas.study.attack_modules import called
from miatlas.study.contents import owner
from miatlas.study.jobs import code_of


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
    audits = {n: _answered(study, n) for n, audit in study["audits"].items() if audit["attacks"]}
    return {**own, "audits": audits, "order": list(audits)}


def _answered(study, name):
    """Say what an audit is, and what its attacks are called."""
    entry = study["audits"][name]
    about = _attacked(study, study["cohorts"][entry["target"]], entry["targets"])
    if entry["shadow"] != entry["target"]:
        about += f"; compared with {described(study, entry['shadow'])}"
    about += releases.described(entry["release"])
    attacks = {
        label: called(label, study["attacks"][label]["attack"]) for label in entry["attacks"]
    }
    return {"about": f"{about}.", "attacks": attacks}


def _attacked(study, cohort, targets):
    """Say in words which models are attacked, as a reader knows them."""
    if "signals" in cohort:
        return f"{targets or 'All'} models of other software, by what they answered"
    if "weights" in cohort:
        files = ", ".join(Path(file).name for file in cohort["weights"][:3])
        return f"The model in {files}" if targets == 1 else f"{targets} models, those in {files}"
    how = f"recipe {cohort['recipe']}{_private(study, cohort)}"
    made = f"trained by {how} on {cohort['population']}"
    return f"{targets} of {cohort['models']} models, {made}"


def _private(study, cohort):
    return private_recipes.described(study["recipes"][cohort["recipe"]]["privacy"])


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
        "populations": study["populations"],
        "made_by": study["cohorts"],
        "audits": study["audits"],
        "exhibits": {
            name: {key: entry[key] for key in shown} | {"attacks": [n for n, _ in entry["attacks"]]}
            for name, entry in study["exhibits"].items()
        },
    }


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
        "architecture": _network(recipe["architecture"]),
        "source": study["populations"][entry["population"]]["source"],
        "per_target": made_for_each_target(entry),
        "queries": entry["queries"]["count"],
    }


def _network(architecture):
    """Return the name of a network as papers have it: ResNets go by their depth."""
    name, depth = architecture["name"], architecture.get("depth")
    return f"resnet{depth}" if name == "resnet" else name


def described(study: dict, cohort: str) -> str:
    """Say in words what a cohort is."""
    entry = study["cohorts"][cohort]
    if "signals" in entry:
        return "models of other software" + (", in pairs" if "design" in entry else "")
    whose = f" (those of {entry['models_of']})" if entry["models_of"] else ""
    warm = entry["queries"]["temperature"]
    privacy = "" if "weights" in entry else _private(study, entry)
    made = f", design {entry['design']['name']}"
    if "weights" in entry:
        made = f", released as {', '.join(Path(file).name for file in entry['weights'][:3])}"
    if owner(study, cohort) not in (cohort, entry["models_of"]):
        made += f", members of their teachers in {owner(study, cohort)}"
    models = "1 model" if entry["models"] == 1 else f"{entry['models']} models"
    return (
        f"{models}{whose} of recipe {entry['recipe']}{privacy}"
        f" on {entry['population']}{made}, queries per example: {entry['queries']['count']}"
        + (f", temperature {warm:g}" if warm != 1.0 else "")
    )
