"""A study, checked and completed.

Nothing here imports torch, and nothing runs: what is wrong with a study is said, with the key at
fault, before the first job starts.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from importlib import import_module
from pathlib import Path

from miatlas.designs.relations import made_for_each_target
from miatlas.populations.catalogue import missing_files
from miatlas.study import demands, entries, example_kinds

DEFAULT_TARGETS = 10


def read(config: Mapping) -> dict:
    """Return the study with every default filled in; raise ValueError naming the key at fault.

    A key that is null is not there: that is how a file read on top of another takes entries away.
    """
    study = entries.section("study", _kept(deepcopy(dict(config))), "configuration")
    _check_name(study["study"], "study")
    for kind in ("population", "recipe", "cohort", "attack", "audit", "exhibit"):
        given, complete = study[f"{kind}s"], getattr(entries, kind)
        for name in given:
            _check_name(name, f"{kind}s")
        if kind == "cohort":
            given = {name: _asked_again(given, name) for name in given}
        study[f"{kind}s"] = {n: complete(given[n], f"{kind}s.{n}") for n in sorted(given)}
    for kind, check in CHECKS:
        for name, entry in study[kind].items():
            check(study, entry, f"{kind}.{name}")
    return study


def _kept(given):
    if not isinstance(given, Mapping):
        return given
    return {key: _kept(value) for key, value in given.items() if value is not None}


def _asked_again(cohorts, name):
    """Return a cohort as written; one of another's models with what it does not say itself."""
    own, where = cohorts[name], f"cohorts.{name}"
    if not isinstance(own, Mapping) or "models_of" not in own:
        return own
    entries.section("asked_again", own, where)
    makers = [n for n, c in cohorts.items() if not {"models_of", "signals"} & set(c)]
    return {**cohorts[entries.one_of(own["models_of"], makers, f"{where}.models_of")], **own}


def _check_name(name, where):
    """Names become parts of file names, and are told apart in them."""
    if not isinstance(name, str) or not re.fullmatch(r"[\w-]+", name):
        raise ValueError(f"{where}: the name {name!r} must consist of letters, digits, _ and -")


def _check_population(study, population, where):
    if wrong := example_kinds.too_large(population):
        raise ValueError(f"{where}.{wrong}")


def _check_cohort(study, cohort, where):
    if "signals" in cohort:
        return
    entries.one_of(cohort["population"], list(study["populations"]), f"{where}.population")
    entries.one_of(cohort["recipe"], list(study["recipes"]), f"{where}.recipe")
    design, models = cohort["design"], cohort["models"]
    drawn = import_module(f"miatlas.designs.{design['name']}")
    if wrong := drawn.complaint(models, design):
        raise ValueError(f"{where}.models: {wrong}, as the design {design['name']} demands")
    if models % cohort["block"]:
        raise ValueError(
            f"{where}.block: {models} models are not whole blocks of {cohort['block']}"
        )
    if cohort["held_out"] + cohort["test"] >= 1:
        raise ValueError(f"{where}: held_out and test leave no example to train on")
    if study["recipes"][cohort["recipe"]]["early_stopping"] and not cohort["held_out"]:
        raise ValueError(f"{where}.held_out: early stopping needs held-out examples, but it is 0")
    if cohort["bounds"]["coverage"] is not None and not cohort["held_out"]:
        raise ValueError(f"{where}.bounds.coverage: needs held-out examples, but held_out is 0")
    population = study["populations"][cohort["population"]]
    if design["name"] == "canaries" and population["canaries"] is None:
        raise ValueError(f"{where}.design: the population {cohort['population']} has no canaries")
    wrong = example_kinds.complaint(
        population, study["recipes"][cohort["recipe"]], cohort["queries"]
    )
    if wrong:
        raise ValueError(f"{where}.{wrong}")


def made_of(cohort: dict) -> str | None:
    """Return the cohort that another one is made of: its teachers, or the targets retrained."""
    if cohort.get("teacher"):
        return cohort["teacher"]["cohort"]
    return cohort.get("design", {}).get("of")


def _check_made_of(study, cohort, where):
    """A cohort made of another one knows the same examples, and enough models to be made of."""
    other = made_of(cohort)
    if other is None:
        return
    if cohort["models_of"]:
        raise ValueError(f"{where}.models_of: {cohort['models_of']} is itself made of another")
    key = f"{where}.teacher.cohort" if cohort["teacher"] else f"{where}.design.of"
    entries.one_of(other, trained(study), key)
    if cohort["teacher"] and cohort["design"].get("of"):
        raise ValueError(f"{where}: a cohort is either distilled or retrained, not both")
    original, k = study["cohorts"][other], made_for_each_target(cohort)
    if made_of(original):
        raise ValueError(f"{key}: {other} is itself made of another cohort")
    if cohort["models"] % k or cohort["models"] // k > original["models"]:
        raise ValueError(
            f"{where}.models: {cohort['models']} models are not {k} for each of up to"
            f" {original['models']} models of {other}"
        )
    _check_same_examples(original, cohort, where)


def _check_audit(study, audit, where):
    for side in ("target", "shadow", "reference"):
        if audit[side] is not None:
            entries.one_of(audit[side], list(study["cohorts"]), f"{where}.{side}")
    for label in audit["attacks"]:
        entries.one_of(label, list(study["attacks"]), f"{where}.attacks")
    cohorts = {
        side: study["cohorts"][audit[side]]
        for side in ("target", "shadow", "reference")
        if audit[side]
    }
    target = cohorts["target"]
    if "models" in target:
        audit["targets"] = audit["targets"] or min(DEFAULT_TARGETS, target["models"])
        if audit["targets"] > target["models"]:
            raise ValueError(
                f"{where}.targets: {audit['targets']} targets, but the cohort {audit['target']}"
                f" has {target['models']} models"
            )
    for side in ("shadow", "reference"):
        if audit[side] not in (None, audit["target"]):
            if maker(study, audit[side]) == maker(study, audit["target"]):
                raise ValueError(f"{where}.{side}: {audit[side]} asks the targets' own models")
            _check_beside(audit, cohorts, side, f"{where}.{side}")
    known = demands.known(cohorts, study["populations"])
    for label in audit["attacks"]:
        same = audit["target"] == audit["shadow"]
        if wrong := demands.complaint(study["attacks"][label], known, same):
            raise ValueError(f"{where}: attacks.{label}{wrong}")


def _check_beside(audit, cohorts, side, where):
    """A cohort beside the target's knows its examples, and has models for every target."""
    target, other = cohorts["target"], cohorts[side]
    if "models" not in target or "models" not in other:
        return
    if made_of(other) not in (None, audit["target"]):
        raise ValueError(f"{where}: {audit[side]} was made of {made_of(other)}, not of the targets")
    _check_same_examples(target, other, where)
    for key in ("target_share", "fractions"):
        given = [cohort["design"].get(key) for cohort in (target, other)]
        if None not in given and given[0] != given[1] and not made_of(other):
            raise ValueError(f"{where}: target and {side} cohort cut the pool differently ({key})")
    if target["design"].get("per_target", 1) > 1:
        raise ValueError(
            f"{where}: models of six_way have one target for each partition, but per_target of"
            f" {audit['target']} is {target['design']['per_target']}"
        )
    k = made_for_each_target(other)
    if k and audit["targets"] * k > other["models"]:
        raise ValueError(
            f"{where}: {audit['targets']} targets need {k} models each, but {audit[side]} has"
            f" {other['models']}"
        )


def _check_same_examples(cohort, other, where):
    """Both cohorts know the same examples, in the same roles."""
    for key in ("population", "held_out", "test"):
        if cohort[key] != other[key]:
            raise ValueError(
                f"{where}: its {key} is {other[key]!r}, the target cohort's {cohort[key]!r}"
            )


def _check_exhibit(study, exhibit, where):
    if exhibit["cohort"] is not None:
        entries.one_of(exhibit["cohort"], list(study["cohorts"]), f"{where}.cohort")
    for name in exhibit["cohorts"]:
        entries.one_of(name, list(study["cohorts"]), f"{where}.cohorts")
    for name in exhibit["audits"]:
        entries.one_of(name, list(study["audits"]), f"{where}.audits")
    attacked = {label for name in exhibit["audits"] for label in study["audits"][name]["attacks"]}
    for label, _ in exhibit["attacks"]:
        entries.one_of(label, list(study["attacks"]), f"{where}.attacks")
        if label not in attacked:
            raise ValueError(
                f"{where}.attacks: {label} is an attack of none of its audits, which are"
                f" {', '.join(exhibit['audits'])}"
            )


CHECKS = (
    ("populations", _check_population),
    ("cohorts", _check_cohort),
    ("cohorts", _check_made_of),
    ("audits", _check_audit),
    ("exhibits", _check_exhibit),
)


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
    return [name for name in queried(study) if maker(study, name) == name]


def queried(study: dict) -> list[str]:
    """Return the cohorts whose models the workflow asks: those that it trains, also once again."""
    return [name for name, entry in study["cohorts"].items() if "signals" not in entry]


def maker(study: dict, cohort: str) -> str:
    """Return the cohort that a cohort's models were trained for: itself, or the one it asks."""
    return study["cohorts"][cohort].get("models_of") or cohort


def external(study: dict) -> list[str]:
    """Return the cohorts that come as a signals file."""
    return [name for name, entry in study["cohorts"].items() if "signals" in entry]


def exhibits(study: dict, kind: str) -> list[str]:
    """Return the exhibits of a kind: `figure` or `table`."""
    return [name for name, entry in study["exhibits"].items() if entry[kind]]


def shown(study: dict, exhibit: str) -> list[tuple[str, str]]:
    """Return every (audit, label) whose results an exhibit shows: those that are there."""
    entry = study["exhibits"][exhibit]
    return [
        (audit, label)
        for audit in entry["audits"]
        for label, _ in entry["attacks"]
        if label in study["audits"][audit]["attacks"]
    ]


def cohorts_shown(study: dict, exhibit: str) -> list[str]:
    """Return the cohorts that an exhibit's audits are made of, those that the workflow trains."""
    audits = [study["audits"][name] for name in study["exhibits"][exhibit]["audits"]]
    names = {audit[side] for audit in audits for side in ("target", "shadow", "reference")}
    return sorted(names & set(trained(study)))


def probed(study: dict, audit: str, label: str, side: str) -> list[tuple[str, int]]:
    """Return every probe and block of a side's cohort that an audit's attack needs answers of.

    What targets and shadow models of one cohort are asked counts as asked of the shadow models.
    """
    attack, options = (study["attacks"][label][key] for key in ("attack", "options"))
    entry = study["audits"][audit]
    sides, cohort = {side}, entry[side]
    if entry["target"] == entry["shadow"]:
        sides = {"target": set(), "shadow": {"target", "shadow"}}.get(side, sides)
    asked = set().union(*(demands.probes(attack, s, options) for s in sides if cohort))
    return [(p, b) for p in sorted(asked) for b in _asked_blocks(study, cohort, attack, p)]


def _asked_blocks(study, cohort, attack, probe):
    """One model's answer is that of the first shadow model that is neither target nor its pair."""
    shared = not made_for_each_target(study["cohorts"][cohort])
    if shared and demands.one_model_answers(attack, probe):
        return first_blocks(study, cohort, 3)
    return blocks(study, cohort)


def first_blocks(study: dict, cohort: str, models: int) -> list[int]:
    """Return the blocks that hold a cohort's first models, `models` of them."""
    return blocks(study, cohort)[: -(-models // study["cohorts"][cohort]["block"])]


def originals(study: dict, cohort: str, block: str) -> tuple[str, list[int]] | None:
    """Return the cohort that a block is made of, with the blocks up to the last model it needs."""
    entry = study["cohorts"][cohort]
    other = made_of(entry)
    if other is None:
        return None
    needed = -(-(int(block) + 1) * entry["block"] // made_for_each_target(entry))
    return other, first_blocks(study, other, needed)


def blocks(study: dict, cohort: str) -> list[int]:
    """Return the block numbers of a cohort; an external one is a single block."""
    entry = study["cohorts"][cohort]
    return [0] if "signals" in entry else list(range(entry["models"] // entry["block"]))
