"""A digest of the code that a job runs, so that editing it reruns that job and no other.

Snakemake looks at a script's modification time and never at the modules it imports. This digest
covers the script, what it imports within its folder, transitively, and modules chosen by name; it
is taken of the syntax trees without docstrings, so that comments and formatting change nothing.
"""

import ast
import atexit
import hashlib
import json
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from miatlas.running.files import write_json

_READ: dict[str, tuple] = {}  # by a source's digest: what it imports, and its code's digest


@cache
def digest(root: Path, *files: str) -> str:
    """Return a short hex digest of `files` below `root` and of all they import below it."""
    found: dict[Path, str] = {}
    waiting = [root / file for file in files]
    while waiting:
        path = waiting.pop()
        if path not in found:
            names, found[path] = read(path)
            waiting += [path for name in names for path in _modules(root).get(name, ())]
    return _hex("".join(f"{path.relative_to(root)} {found[path]}\n" for path in sorted(found)))[:16]


@cache
def read(path: Path) -> tuple[list[str], str]:
    """Return the names of what a file imports, packages included, and the digest of its code."""
    source = path.read_text(encoding="utf-8")
    key = _hex(_READER + source)
    if key not in _READ:
        _READ[key] = _names_and_code(ast.parse(source, filename=str(path)))
    return _READ[key]


def remember(file: Path) -> None:
    """Take over what earlier runs have read from a JSON file, and add to it when this one ends.

    Entries are found by the content of a source, of this module and Python's version: none of them
    can be out of date.
    """
    with suppress(OSError, ValueError, TypeError):
        _READ.update(json.loads(file.read_text(encoding="utf-8")))
    atexit.register(_keep, file.absolute(), len(_READ))


def _keep(file, known):
    if len(_READ) > known:
        with suppress(OSError):
            write_json(file, _READ)


@cache
def _modules(root):
    """All files below `root`, by the names under which they are imported."""
    found: dict[str, list[Path]] = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.setdefault(name, []).append(path)
    return found


def _names_and_code(tree):
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and _is_text(node.body):
            node.body = node.body[1:]
    parts = [name.split(".") for name in names]
    parents = {".".join(words[:n]) for words in parts for n in range(1, len(words) + 1)}
    return sorted(parents), _hex(ast.dump(tree))


def _is_text(body):
    return bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)


def _hex(text):
    return hashlib.sha256(text.encode()).hexdigest()


_READER = f"{sys.hexversion} {Path(__file__).read_text(encoding='utf-8')}"
