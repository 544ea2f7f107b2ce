"""The entries of a study's sections, each checked and completed with its defaults.

Every function takes an entry as the user wrote it and the place it stands at, and returns the
canonical one: plain types, every key there, every name known. It raises ValueError with one line
that names the place, the key and what is allowed.
"""

from collections.abc import Mapping
from functools import cache

from miatlas.audits.attack_reads import LIBRARY, unreadable
from miatlas.options import checked, constant, declared

OPTIMIZERS = ["sgd", "adam", "adamw"]
AUGMENTATIONS = [
    "none", "mirror", "shift", "mirror_shift", "mirror_shift_cutout", "crop_rotation",
    "alternating_mirror_shift",
]  # fmt: skip
SCHEDULES = ["constant", "cosine", "quarter_cosine", "step"]


def section(name: str, given, where: str) -> dict:
    """Return an entry completed by its signature in `miatlas.study.sections`."""
    if not isinstance(given, Mapping):
        raise ValueError(f"{where}: must be a mapping of keys to values, not {given!r}")
    return checked(dict(given), _options("study/sections", name), where)


def population(given, where: str) -> dict:
    """A population: its own keys, and the options of its source."""
    keys, rest = _split(given, _options("study/sections", "population"), where)
    entry = section("population", keys, where)
    module(entry["source"], "populations", "load", f"{where}.source")
    entry["options"] = checked(rest, _options(f"populations/{entry['source']}", "load"), where)
    if entry["canaries"] is not None:
        entry["canaries"] = _canaries(entry["canaries"], f"{where}.canaries")
    return entry


def _canaries(given, where):
    entry = section("canaries", given, where)
    if (entry["kind"] == "other") != (entry["other"] is not None):
        raise ValueError(f"{where}: kind 'other' and only it needs a population in 'other'")
    if entry["other"] is not None:
        entry["other"] = population(entry["other"], f"{where}.other")
    return entry


def recipe(given, where: str) -> dict:
    """A recipe, with the options of its architecture, optimiser, schedule and augmentation."""
    entry = section("recipe", given, where)
    networks = implementing("training/architectures", "build")
    choices = {
        "architecture": (networks, lambda name: (f"training/architectures/{name}", "build")),
        "optimizer": (OPTIMIZERS, lambda name: ("training/optimization", name)),
        "schedule": (SCHEDULES, lambda name: ("training/optimization", name)),
        "augmentation": (AUGMENTATIONS, lambda name: ("training/augmentation", "draw")),
    }
    for key, (allowed, source) in choices.items():
        entry[key] = _named(entry[key], allowed, source, f"{where}.{key}")
    return entry


def cohort(given, where: str) -> dict:
    """A cohort that the workflow trains, or an external one: a signals file."""
    if isinstance(given, Mapping) and "signals" in given:
        entry = section("external_cohort", given, where)
        design = {"design": {"name": "paired"}} if entry.pop("paired") else {}
        return entry | design | {"bounds": section("bounds", entry["bounds"], f"{where}.bounds")}
    entry = section("cohort", given, where)
    entry["design"] = _named(
        entry["design"],
        implementing("designs", "draw"),
        lambda name: (f"designs/{name}", "draw"),
        f"{where}.design",
    )
    entry["queries"] = section("queries", entry["queries"], f"{where}.queries")
    entry["bounds"] = section("bounds", entry["bounds"], f"{where}.bounds")
    entry["probes"] = _probes(entry["probes"], f"{where}.probes")
    if entry["teacher"] is not None:
        entry["teacher"] = section("teacher", entry["teacher"], f"{where}.teacher")
    entry["block"] = entry["block"] or entry["models"]
    return entry


def _probes(given, where):
    """Return the options of every probe: they are what a cohort is asked if it is asked at all."""
    probes = implementing("signals/probes", "measure")
    for name in given:
        one_of(name, probes, where)
    return {
        name: checked(
            given.get(name) or {}, _options(f"signals/probes/{name}", "measure"), f"{where}.{name}"
        )
        for name in probes
    }


def attack(given, where: str) -> dict:
    """A label for an attack with its options; the label may be the attack's own name."""
    keys, rest = _split(given or {}, _options("study/sections", "attack"), where)
    entry = section("attack", keys, where)
    label = where.split(".", 1)[1]
    entry["attack"] = module(entry["attack"] or label, "attacks", "score", where)
    options = _options(f"attacks/{entry['attack']}", "score")
    entry["options"] = checked(rest, options, f"{where} ({entry['attack']})")
    if wrong := unreadable(entry["attack"], entry["options"]):
        raise ValueError(f"{where}: attacks/{entry['attack']}.py {wrong}")
    return entry


def audit(given, where: str) -> dict:
    """An audit; the shadow cohort defaults to the target's own."""
    entry = section("audit", given, where)
    entry["shadow"] = entry["shadow"] or entry["target"]
    return entry


def exhibit(given, where: str) -> dict:
    """An exhibit, with the options of its figure or table."""
    entry = section("exhibit", given, where)
    if (entry["figure"] is None) == (entry["table"] is None):
        raise ValueError(f"{where}: needs either a figure or a table")
    package, function, key = (
        ("exhibits/figures", "draw", "figure")
        if entry["figure"]
        else ("exhibits/tables", "tabulate", "table")
    )
    name = module(entry[key], package, function, f"{where}.{key}")
    options = _options(f"{package}/{name}", function)
    entry["options"] = checked(entry["options"], options, f"{where}.options")
    entry["attacks"] = _shown(entry["attacks"], f"{where}.attacks")
    source = LIBRARY / package / f"{name}.py"
    entry["reads"] = list(constant(source, "READS", ("metrics", "curves")))
    for keys, kinds in READ_WITH.items():
        needed = bool(kinds & set(entry["reads"]))
        if any(bool(entry[part]) != needed for part in keys):
            verb = "needs" if needed else "takes no"
            raise ValueError(f"{where}: the {key} {name} {verb} {' and '.join(keys)}")
    return entry


READ_WITH = {  # keys of an exhibit, and the kinds of evidence that are read with them
    ("audits", "attacks"): {"metrics", "curves", "scores", "costs"},
    ("cohort",): {"signals"},
    ("cohorts",): {"bounds", "beside"},
}


def _shown(given, where):
    """Return [label, name shown] of every attack of an exhibit, in their order."""
    given = {} if given is None else given
    if isinstance(given, list) and all(isinstance(label, str) for label in given):
        given = {label: label for label in given}
    if not isinstance(given, Mapping) or not all(isinstance(n, str) for n in given.values()):
        raise ValueError(f"{where}: must be a list of labels, or a mapping of labels to names")
    return [list(pair) for pair in given.items()]


def one_of(name, allowed, where: str) -> str:
    """Return `name` if it is allowed; otherwise refuse it and list what is."""
    if name not in allowed:
        raise ValueError(f"{where}: {name!r} does not exist; there is: {', '.join(allowed) or '-'}")
    return name


def module(name, package: str, function: str, where: str) -> str:
    """Return the name of a module of `miatlas/<package>`; say what is wrong with its file."""
    source = LIBRARY / package / f"{name}.py"
    if not str(name).isidentifier() or not source.is_file():
        return one_of(name, implementing(package, function), where)
    try:
        declared(source, function)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return name


@cache
def implementing(package: str, function: str) -> list[str]:
    """Return the modules of `miatlas/<package>` that define `function`, without importing them."""
    paths = sorted((LIBRARY / package).glob("[!_]*.py"))
    return [path.stem for path in paths if f"\ndef {function}(" in f"\n{path.read_text()}"]


def _options(module, function):
    return declared(LIBRARY / f"{module}.py", function)


def _split(given, own, where):
    if not isinstance(given, Mapping):
        raise ValueError(f"{where}: must be a mapping of keys to values, not {given!r}")
    keys = {key: value for key, value in given.items() if key in own}
    return keys, {key: value for key, value in given.items() if key not in own}


def _named(given, allowed, source, where):
    if "name" not in given:
        raise ValueError(f"{where}: needs a name, one of {', '.join(allowed)}")
    name = one_of(given["name"], allowed, where)
    options = {key: value for key, value in given.items() if key != "name"}
    return {"name": name, **checked(options, _options(*source(name)), f"{where} ({name})")}
