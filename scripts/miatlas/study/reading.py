"""A study, checked and completed.

Nothing here imports torch, and nothing runs: what is wrong with a study is said, with the key at
fault, before the first job starts.
"""

import os
import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

from miatlas.populations.source_files import missing_files
from miatlas.study import cohorts, entries, sections
from miatlas.study.checking import UnknownKey, checked
from miatlas.study.complaints import yaml_kind
from miatlas.study.consistency import CHECKS
from miatlas.study.plugins import one_of
from miatlas.study.usual_exhibits import usual_exhibits

KINDS = ("population", "recipe", "cohort", "attack", "audit", "exhibit")
PAGES = ("answer", "provenance")  # that the study has of itself, beside its exhibits
LONGEST = 200  # bytes of a name that leave room for the suffixes of files


def read(config: Mapping, homes: list[Path] = ()) -> dict:
    """Return the study with every default filled in; raise ValueError naming the key at fault.

    An entry that is null is not there: that is how a file read on top of another takes it away.
    Files are looked for beside the study's own, in the folders `homes`, the last one first.
    """
    root = config.get("data_root", sections.Study.model_fields["data_root"].default)
    config = _beside(deepcopy(dict(config)), homes, root)
    study = _study(config)
    _check_name(study["study"], "study")
    study["data_root"] = entries.at_home(study["data_root"], "data_root")
    shows_the_usual, study["exhibits"] = study["exhibits"] is None, study["exhibits"] or {}
    for kind in KINDS:
        for name in study[f"{kind}s"]:
            _check_name(name, f"{kind}s")
    if taken := sorted(set(PAGES) & set(study["exhibits"])):
        raise ValueError(
            f"exhibits.{taken[0]}: every study has a page of that name: choose another"
        )
    for kind in KINDS:
        given = {n: entry for n, entry in study[f"{kind}s"].items() if entry is not None}
        if kind == "cohort":
            given = {name: _asked_again(given, name) for name in given}
        study[f"{kind}s"] = {n: _entry(config, kind, n, given[n]) for n in given}
    for kind, check in CHECKS:
        for name, entry in study[kind].items():
            check(study, entry, f"{kind}.{name}")
    if shows_the_usual:
        study["exhibits"] = usual_exhibits(study)
    for entry in study["exhibits"].values():
        entry["paper"] = entry["paper"] or study["study"]
    return study


def _study(config):
    """Return the study's own keys; one of an entry that stands there is told its place."""
    try:
        return checked(config, sections.Study, "configuration")
    except UnknownKey as error:
        raise error.belonging(_right_place(error, config)) from None


def _entry(config, kind, name, given):
    """Return an entry as `entries` completes it; an unknown key of another place is told it."""
    try:
        return getattr(entries, kind)(given, f"{kind}s.{name}")
    except UnknownKey as error:
        raise error.belonging(_right_place(error, config, kind, name)) from None


def _right_place(error, config, kind=None, name=None):
    from miatlas.study.right_places import right_place  # only once something is refused

    return right_place(config, kind, name, error.where, error.key, error.allowed)


# Keys of paths, and `path` of data.
FILES = ("file", "weights", "members", "nonmembers", "signals", "pretrained")


def _beside(given, homes, root):
    """Return what is given, with the paths of files that stand beside the study's own."""
    if not isinstance(given, Mapping):
        return given
    result = {key: _beside(value, homes, root) for key, value in given.items()}
    below = root if "path" in result else "."  # a population's files lie below data_root
    for key in {"path", *FILES} & set(result):
        result[key] = _found(result[key], homes, below)
    return result


def _found(path, homes, root):
    """Return a path as seen from `root`, where it is a file in one of the folders."""
    if isinstance(path, list):
        return [_found(each, homes, root) for each in path]
    places = [Path(home) / path for home in reversed(homes)] if isinstance(path, str) else []
    there = next((place for place in places if place.exists()), None)
    return path if there is None else os.path.relpath(there, os.path.expanduser(str(root)))


def _asked_again(given, name):
    """Return a cohort as written; one of another's models with what it does not say itself."""
    own, where = given[name], f"cohorts.{name}"
    if not _says(own, "models_of"):
        return own
    checked(own, cohorts.AskedAgain, where)
    makers = [
        n
        for n, c in given.items()
        if isinstance(c, Mapping) and not _says(c, "models_of") and not _says(c, "signals")
    ]
    maker = given[one_of(own["models_of"], makers, f"{where}.models_of")]
    return {**maker, **{key: value for key, value in own.items() if value is not None}}


def _says(entry, key):
    return isinstance(entry, Mapping) and entry.get(key) is not None


def _check_name(name, where):
    """Names become parts of file names, and are told apart in them."""
    if kind := yaml_kind(name):
        raise ValueError(f"{where}: YAML reads the name {name} as {kind}: quote it")
    if not isinstance(name, str) or not re.fullmatch(r"[\w-]+", name):
        raise ValueError(f"{where}: the name {name!r} must consist of letters, digits, _ and -")
    if len(name.encode()) > LONGEST:
        raise ValueError(
            f"{where}: the name {name[:20]!r}... is longer than the {LONGEST} bytes that names of"
            " files leave for it: shorten it"
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
    begun = [
        f"recipes.{name}.pretrained: there is no file {entry['pretrained']}"
        for name, entry in study["recipes"].items()
        if entry["pretrained"] and not Path(entry["pretrained"]).is_file()
    ]
    released = [
        f"cohorts.{name}.{key}: there is no file {file}"
        for name, entry in study["cohorts"].items()
        for key in ("weights", "members", "nonmembers")
        for file in entry.get(key, ())
        if not Path(file).is_file()
    ]
    return data + signals + begun + released
