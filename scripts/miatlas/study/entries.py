"""The entries of a study's sections, each checked and completed with its defaults.

Every function takes an entry as the user wrote it and the place it stands at, and returns the
canonical one: plain types, every key there, every name known. It raises ValueError with one line
that names the place, the key and what is allowed.
"""

import os.path
from collections.abc import Mapping
from typing import Any

from miatlas.options import REQUIRED, Option, constant, functions
from miatlas.study import attack_modules, cohorts, plugins, sections
from miatlas.study.checking import MAPPING, checked
from miatlas.study.plugins import Modules, one_of


def population(given, where: str) -> dict:
    """A population: its own keys, and the options of its source."""
    given = _own(given, "source", where)
    keys, options = _split(given, sections.Population, where)
    entry = checked(keys, sections.Population, where)
    plugins.SOURCES.known(entry["source"], f"{where}.source")
    entry["options"] = _options(
        options, plugins.SOURCES, entry["source"], where, sections.Population.model_fields
    )
    if "path" in entry["options"]:
        entry["options"]["path"] = at_home(entry["options"]["path"], f"{where}.path")
    if (entry["mean"] is None) != (entry["deviation"] is None):
        raise ValueError(f"{where}: mean and deviation are given together")
    if entry["canaries"] is not None:
        entry["canaries"] = _canaries(entry["canaries"], f"{where}.canaries")
    return entry


def _canaries(entry, where):
    if (entry["kind"] == "other") != (entry["other"] is not None):
        raise ValueError(f"{where}: kind 'other' and only it needs a population in 'other'")
    if entry["other"] is not None:
        entry["other"] = population(entry["other"], f"{where}.other")
    return entry


def at_home(path: str, where: str) -> str:
    """Return a path in which ~ stands for the home folder no more."""
    found = os.path.expanduser(path)
    if found.startswith("~"):
        raise ValueError(f"{where}: {path!r} begins with the home folder of nobody; write it out")
    return found


def recipe(given, where: str) -> dict:
    """A recipe, with the options of its architecture, optimiser, schedule and augmentation."""
    entry = checked(given, sections.Recipe, where)
    kinds = {
        "architecture": plugins.ARCHITECTURES,
        "optimizer": plugins.OPTIMIZERS,
        "schedule": plugins.SCHEDULES,
        "augmentation": plugins.AUGMENTATIONS,
    }
    entry |= {key: _named(entry[key], kind, f"{where}.{key}") for key, kind in kinds.items()}
    name = entry["architecture"]["name"]
    source = plugins.ARCHITECTURES.source(name)
    own = plugins.is_file(name) and "train" in functions(source)
    fits_itself = plugins.is_estimator(name)
    if fits_itself and entry["epochs"] is not None:
        raise ValueError(f"{where}.epochs: an estimator ({name}) fits itself: it takes no epochs")
    if entry["epochs"] is None and not own and not fits_itself:
        raise ValueError(
            f"{where}: option 'epochs' is required"
            + (
                ", or a function train(x, labels, seed, device) in the file"
                if ".py" in name
                else ""
            )
        )
    return entry


def cohort(given, where: str) -> dict:
    """A cohort that the workflow trains, a released one, or an external one: a signals file."""
    if isinstance(given, Mapping) and given.get("signals") is not None:
        entry = checked(_other_than(cohorts.Cohort, given), cohorts.ExternalCohort, where)
        design = {"design": {"name": "paired"}} if entry.pop("paired") else {}
        return entry | design | {"signals": at_home(entry["signals"], f"{where}.signals")}
    given = _other_than(cohorts.ExternalCohort, given)
    if isinstance(given, Mapping) and given.get("weights") is not None:
        return _released(given, where)
    entry = checked(_other_than(cohorts.ReleasedCohort, given), cohorts.Cohort, where)
    entry["design"] = _named(entry["design"], plugins.DESIGNS, f"{where}.design")
    entry["probes"] = _probes(entry["probes"], f"{where}.probes")
    entry["block"] = entry["block"] or entry["models"]
    return entry


def _released(given, where):
    """A released cohort: as one that is trained, of a design that nobody draws."""
    entry = checked(_other_than(cohorts.Cohort, given), cohorts.ReleasedCohort, where)
    for key in ("weights", "members", "nonmembers"):
        files = [entry[key]] if isinstance(entry[key], str) else entry[key] or []
        entry[key] = [at_home(file, f"{where}.{key}") for file in files]
    models = entry["models"] or len(entry["weights"])
    if models < 1 or len(entry["members"]) not in (0, 1, models):
        raise ValueError(
            f"{where}.members: {len(entry['members'])} lists of {models} models; there is to be"
            " one list for all, or one for each"
        )
    same = {"design": {"name": "released"}, "models": models, "block": models, "teacher": None}
    return entry | same | {"probes": _probes(entry["probes"], f"{where}.probes")}


def _other_than(section, given):
    """Return a cohort without null keys of another sort of cohort: it was of that sort."""
    if not isinstance(given, Mapping):
        return given
    return {k: v for k, v in given.items() if v is not None or k not in section.model_fields}


def _probes(given, where):
    """Return the options of every probe: they are what a cohort is asked if it is asked at all."""
    probes = plugins.PROBES.names()
    for name in given:
        one_of(name, probes, where)
    there = {name: options for name, options in given.items() if options is not None}
    return {
        name: _options(there.get(name, {}), plugins.PROBES, name, f"{where}.{name}")
        for name in probes
    }


def attack(given, where: str) -> dict:
    """A label for an attack with its options; the label may be the attack's own name."""
    keys, options = _split(_own(given, "attack", where), sections.Attack, where)
    entry = checked(keys, sections.Attack, where)
    label = where.split(".", 1)[1]
    entry["attack"] = plugins.ATTACKS.known(entry["attack"] or label, where)
    entry["options"] = _options(
        options,
        plugins.ATTACKS,
        entry["attack"],
        f"{where} ({entry['attack']})",
        sections.Attack.model_fields,
    )
    try:
        attack_modules.said(entry["attack"])
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return entry


def audit(given, where: str) -> dict:
    """An audit; the shadow cohort defaults to the target's own."""
    entry = checked(given, sections.Audit, where)
    entry["shadow"] = entry["shadow"] or entry["target"]
    entry["release"] = _named(entry["release"], plugins.RELEASES, f"{where}.release")
    return entry


def exhibit(given, where: str) -> dict:
    """An exhibit, with the options of its figure or table."""
    given = _own(_own(given, "figure", where), "table", where)
    entry = checked(given, sections.Exhibit, where)
    if (entry["figure"] is None) == (entry["table"] is None):
        raise ValueError(f"{where}: needs either a figure or a table")
    key = "figure" if entry["figure"] else "table"
    kind = plugins.FIGURES if entry["figure"] else plugins.TABLES
    name = kind.known(entry[key], f"{where}.{key}")
    entry["options"] = _options(entry["options"], kind, name, f"{where}.options")
    entry["attacks"] = _shown(entry["attacks"], f"{where}.attacks")
    entry["reads"] = _reads(kind.source(name), entry["options"], where)
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


EVIDENCE = sorted({"published", "scale", "attacks"}.union(*READ_WITH.values()))


def _reads(source, options, where):
    """Return the kinds of evidence that a figure or table says it reads."""
    reads = list(constant(source, "READS", ("metrics", "curves")))
    for each in reads:
        one_of(each, EVIDENCE, f"{where}: {source.name}: READS")
    if "published" in reads and "published" not in options:
        raise ValueError(f"{where}: {source.name} reads published values: its option published")
    return reads


def _shown(given, where):
    """Return [label, name shown] of every attack of an exhibit, in their order."""
    given = {} if given is None else given
    if isinstance(given, list) and all(isinstance(label, str) for label in given):
        given = {label: label for label in given}
    if not isinstance(given, Mapping) or not all(
        isinstance(label, str) and isinstance(name, str | None) for label, name in given.items()
    ):
        raise ValueError(f"{where}: must be a list of labels, or a mapping of labels to names")
    return [[label, name] for label, name in given.items() if name is not None]


def _split(given, section, where):
    """Return a section's own keys, and the others: options of a plug-in that it names."""
    if not isinstance(given, Mapping):
        raise ValueError(f"{where}: {MAPPING} {given!r}")
    own = section.model_fields
    return (
        {key: value for key, value in given.items() if key in own},
        {key: value for key, value in given.items() if key not in own},
    )


def _named(given, kind: Modules, where):
    """Return a plug-in's name with its options, completed; its name may be a file of one's own."""
    if given.get("file") is not None:
        given = {**given, "name": own_file(given["file"], where)}
        del given["file"]
    if given.get("name") is None:
        raise ValueError(f"{where}: needs a name, one of {', '.join(kind.names())}")
    name = kind.known(given["name"], where)
    options = {key: value for key, value in given.items() if key != "name"}
    return {"name": name, **_options(options, kind, name, f"{where} ({name})")}


def _own(given, key, where):
    """Return an entry whose plug-in goes by the path of its file, if it is one of one's own."""
    named = given.get(key) if isinstance(given, Mapping) else None
    if isinstance(named, str) and plugins.is_file(named):
        raise ValueError(f"{where}.{key}: write {{file: {named}}} for a file of your own")
    if not isinstance(named, Mapping):
        return given
    file = checked(named, {"file": Option(Any, REQUIRED)}, f"{where}.{key}")["file"]
    return {**given, key: own_file(file, f"{where}.{key}")}


def own_file(path, where: str) -> str:
    """Return the path of a plug-in of one's own as a name: it ends in .py."""
    if not isinstance(path, str) or not path.endswith(".py"):
        raise ValueError(f"{where}.file: {path!r} is not the path of a Python file (.py)")
    return at_home(path, f"{where}.file")


def _options(given, kind: Modules, name, where, beside=()):
    """Return the options of a plug-in, completed.

    An option of another plug-in of its kind may be null: that is how a file that is read on top of
    another takes it away together with the name.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"{where}: {MAPPING} {given!r}")
    own = kind.options(name)
    gone = {key for key, value in given.items() if value is None and key not in own}
    gone = gone and {key for key in gone if kind.takes(key)}
    kept = {key: _without_nulls(value) for key, value in given.items() if key not in gone}
    return checked(kept, own, where, beside)


def _without_nulls(value):
    if not isinstance(value, Mapping):
        return value
    return {key: _without_nulls(each) for key, each in value.items() if each is not None}
