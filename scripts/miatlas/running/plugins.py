"""A plug-in's module: one of the library by its name, or a file of the user's own by its path."""

import sys
from functools import cache
from hashlib import sha256
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

FOLDERS: list[str] = []  # of files that were imported, the last one's first


def is_file(name) -> bool:
    """Say whether a plug-in is named by the path of a file of the user's own."""
    return str(name).endswith(".py")


def module(package: str, name: str) -> ModuleType:
    """Return the module of a plug-in: of `miatlas.<package>`, or the file that `name` is."""
    return _of_file(Path(name).resolve()) if is_file(name) else _of_library(package, name)


def _of_library(package, name):
    return import_module(f"miatlas.{package}.{name}")


@cache
def _of_file(path: Path) -> ModuleType:
    """Import a file, under a name that nothing else has; its neighbours can be imported by it.

    Raises ValueError, naming file and line, if it cannot be imported.
    """
    name = f"plugin_{sha256(str(path).encode()).hexdigest()[:16]}.{path.stem}"
    spec = spec_from_file_location(name, path)
    sys.modules[name] = found = module_from_spec(spec)
    known = set(sys.modules)
    _look_in(str(path.parent))
    try:
        spec.loader.exec_module(found)
    except Exception as error:
        del sys.modules[name]
        said = " ".join(f"{path}{_line(error, path)}: {type(error).__name__}: {error}".split())
        raise ValueError(said) from error
    finally:
        _forget(set(sys.modules) - known, path.parent)
    return found


class Neighbours(MetaPathFinder):
    """Finds the neighbours of users' files, after all else: Snakemake hands sys.path to jobs."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Return where a module stands in one of the folders, if it does."""
        return PathFinder.find_spec(name, FOLDERS) if path is None else None


def _look_in(folder):
    """Let the files of a folder be imported, before those of others'."""
    FOLDERS[:] = [folder, *(other for other in FOLDERS if other != folder)]
    if Neighbours not in sys.meta_path:
        sys.meta_path.append(Neighbours)  # last: their names hide no other's


def _forget(names, folder):
    """Forget the neighbours of a file, so that another's of the same name are others."""
    for name in names:
        if Path(getattr(sys.modules[name], "__file__", None) or "").is_relative_to(folder):
            del sys.modules[name]


def _line(error, path):
    """Return where in the file an error came from, as words."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f", line {error.lineno}"
    lines, trace = [], error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f", line {lines[-1]}" if lines else ""
