"""The entries of a study's sections, each checked and completed with its defaults.

Every function takes an entry as the user wrote it and the place it stands at, and returns the
canonical one: plain types, every key there, every name known. It raises ValueError with one line
that names the place, the key and what is allowed.
"""

from collections.abc import Mapping

from miatlas.options import constant
from miatlas.study import attack_modules, cohorts, plugins, recipes, sections
from miatlas.study.checking import checked
from miatlas.study.plugin_entries import (
    at_home,
    by_file,
    named_plugin,
    plugin_options,
    split_options,
)
from miatlas.study.plugins import one_of


def population(given, where: str) -> dict:
    """A population: its own keys, and the options of its source."""
    given = by_file(given, "source", where)
    keys, options = split_options(given, sections.Population, where)
    entry = checked(keys, sections.Population, where)
    plugins.SOURCES.known(entry["source"], f"{where}.source")
    entry["options"] = plugin_options(
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
    if entry["kind"].startswith("other") != (entry["other"] is not None):
        raise ValueError(
            f"{where}: kinds 'other' and 'other_relabelled', and only these, need a population in"
            " 'other'"
        )
    if entry["other"] is not None:
        entry["other"] = population(entry["other"], f"{where}.other")
    return entry


def recipe(given, where: str) -> dict:
    """A recipe, with the options of its architecture, optimiser, schedule and augmentation."""
    entry = checked(given, recipes.Recipe, where)
    kinds = {
        "architecture": plugins.ARCHITECTURES,
        "optimizer": plugins.OPTIMIZERS,
        "schedule": plugins.SCHEDULES,
        "augmentation": plugins.AUGMENTATIONS,
    }
    entry |= {key: named_plugin(entry[key], kind, f"{where}.{key}") for key, kind in kinds.items()}
    if wrong := recipes.complaint(entry):
        raise ValueError(f"{where}{wrong}")
    if entry["pretrained"] is not None:
        entry["pretrained"] = at_home(entry["pretrained"], f"{where}.pretrained")
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
    entry["design"] = named_plugin(entry["design"], plugins.DESIGNS, f"{where}.design")
    entry["probes"] = _probes(entry["probes"], f"{where}.probes")
    entry["block"] = entry["block"] or entry["models"]
    entry["only"] = [entry["only"]] if isinstance(entry["only"], str) else entry["only"]
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
        name: plugin_options(there.get(name, {}), plugins.PROBES, name, f"{where}.{name}")
        for name in probes
    }


def attack(given, where: str) -> dict:
    """A label for an attack with its options; the label may be the attack's own name."""
    keys, options = split_options(by_file(given, "attack", where), sections.Attack, where)
    entry = checked(keys, sections.Attack, where)
    label = where.split(".", 1)[1]
    entry["attack"] = plugins.ATTACKS.known(entry["attack"] or label, where)
    entry["options"] = plugin_options(
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
    entry["release"] = named_plugin(entry["release"], plugins.RELEASES, f"{where}.release")
    return entry


def exhibit(given, where: str) -> dict:
    """An exhibit, with the options of its figure or table."""
    given = by_file(by_file(given, "figure", where), "table", where)
    entry = checked(given, sections.Exhibit, where)
    if (entry["figure"] is None) == (entry["table"] is None):
        raise ValueError(f"{where}: needs either a figure or a table")
    key = "figure" if entry["figure"] else "table"
    kind = plugins.FIGURES if entry["figure"] else plugins.TABLES
    name = kind.known(entry[key], f"{where}.{key}")
    entry["options"] = plugin_options(entry["options"], kind, name, f"{where}.options")
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


EVIDENCE = sorted({"published", "scale", "attacks", "canaries"}.union(*READ_WITH.values()))


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
