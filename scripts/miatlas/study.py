"""A study, checked and completed.

Nothing here imports torch, and nothing runs: what is wrong with a study is said, with the key at
fault, before the first job starts.
"""

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
    if cohort["held_out"] + cohort["test"] >= 1:
        raise ValueError(f"{where}: held_out and test leave no example to train on")
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
    if "models" in target and "models" in shadow:
        _check_same_examples(target, shadow, where)


def _check_same_examples(target, shadow, where):
    """Both cohorts know the same examples, in the same roles and parts."""
    for key in ("population", "held_out", "test"):
        if target[key] != shadow[key]:
            raise ValueError(
                f"{where}.shadow: its {key} is {shadow[key]!r}, the target cohort's {target[key]!r}"
            )
    designs = [cohort["design"] for cohort in (target, shadow)]
    for key in ("target_share", "fractions"):
        if len({str(design.get(key)) for design in designs}) > 1:
            raise ValueError(
                f"{where}.shadow: target and shadow cohort cut the pool differently ({key})"
            )


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
