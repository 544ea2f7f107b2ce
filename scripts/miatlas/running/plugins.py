"""A plug-in's module: one of the library by its name, or a file of the user's own by its path."""

import sys
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType


class Faulty(ValueError):
    """A file of a user's own cannot be imported; the message names it, and the line."""


def is_file(name: str) -> bool:
    """Say whether a plug-in is named by the path of a file."""
    return name.endswith(".py")


def module(package: str, name: str) -> ModuleType:
    """Return the module of a plug-in: of `miatlas.<package>`, or the file that `name` is."""
    return _of_file(Path(name).resolve()) if is_file(name) else _of_library(package, name)


def _of_library(package, name):
    return import_module(f"miatlas.{package}.{name}")


@cache
def _of_file(path: Path) -> ModuleType:
    """Import a file, under a name that nothing else has; its neighbours can be imported by it.

    Raises Faulty, naming file and line, if it cannot be imported.
    """
    name = f"plugin_{abs(hash(str(path))):x}"
    spec = spec_from_file_location(name, path)
    sys.modules[name] = found = module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last: its names hide no other's
    try:
        spec.loader.exec_module(found)
    except Exception as error:
        del sys.modules[name]
        line = _line(error, path)
        raise Faulty(f"{path}{line}: {type(error).__name__}: {error}") from error
    return found


def _line(error, path):
    """Return where in the file an error came from, as words."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    lines, trace = [], error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f", line {lines[-1]}" if lines else ""
