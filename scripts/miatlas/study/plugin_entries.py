"""What an entry says of the plug-ins that it names: their names or files, and their options."""

import os.path
from collections.abc import Mapping
from typing import Any

from miatlas.options import REQUIRED, Option
from miatlas.study import plugins
from miatlas.study.checking import checked
from miatlas.study.complaints import MAPPING
from miatlas.study.plugins import Modules


def at_home(path: str, where: str) -> str:
    """Return a path in which ~ stands for the home folder no more."""
    found = os.path.expanduser(path)
    if found.startswith("~"):
        raise ValueError(f"{where}: {path!r} begins with the home folder of nobody; write it out")
    return found


def named_plugin(given, kind: Modules, where):
    """Return a plug-in's name with its options, completed; its name may be a file of one's own."""
    if given.get("file") is not None:
        given = {**given, "name": own_file(given["file"], where)}
        del given["file"]
    if given.get("name") is None:
        raise ValueError(f"{where}: needs a name, one of {', '.join(kind.names())}")
    name = kind.known(given["name"], where)
    options = {key: value for key, value in given.items() if key != "name"}
    return {"name": name, **plugin_options(options, kind, name, f"{where} ({name})")}


def by_file(given, key, where):
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


def plugin_options(given, kind: Modules, name, where, beside=()):
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


def split_options(given, section, where):
    """Return a section's own keys, and the others: options of a plug-in that it names."""
    if not isinstance(given, Mapping):
        raise ValueError(f"{where}: {MAPPING} {given!r}")
    own = section.model_fields
    return (
        {key: value for key, value in given.items() if key in own},
        {key: value for key, value in given.items() if key not in own},
    )
