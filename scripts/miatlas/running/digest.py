"""A digest of the code that a job runs, so that editing it reruns that job and no other.

Snakemake looks at a script's modification time and never at the modules it imports. This digest
covers the script, what it imports within its folder, transitively, and modules chosen by name; it
is taken of the syntax trees without docstrings, so that comments and formatting change nothing, and
no more does the version of Python.
"""

import ast
import hashlib
from functools import cache
from itertools import groupby
from pathlib import Path

# By a source's and this module's digest, so never out of date: its imports, its code's digest.
READ: dict[str, tuple] = {}


@cache
def digest(root: Path, *files: str) -> str:
    """Return a short hex digest of `files` below `root` and of all they import below it.

    A file elsewhere, by its absolute path, counts with those beside it that it imports.
    """
    found: dict[Path, str] = {}
    waiting = [root / file for file in files]
    while waiting:
        path = waiting.pop()
        if path not in found:
            names, found[path] = read(path)
            waiting += [path for name in names for path in _modules(root).get(name, ())]
            waiting += [] if path.is_relative_to(root) else _neighbours(path, names)
    named = sorted((_name(path, root), code) for path, code in found.items())
    return _hex("".join(f"{name} {code}\n" for name, code in named))[:16]


@cache
def _name(path, root):
    """A file elsewhere goes by its own name: its folder may be moved."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name


def _neighbours(path, names):
    files = (path.parent / f"{name.replace('.', '/')}.py" for name in names)
    return [file for file in files if file.is_file()]


@cache
def read(path: Path) -> tuple[list[str], str]:
    """Return the names of what a file imports, packages included, and the digest of its code."""
    source = path.read_text(encoding="utf-8")
    key = _hex(_READER + source)
    if key not in READ:
        READ[key] = _names_and_code(ast.parse(source, filename=str(path)))
    return READ[key]


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
    return sorted(parents), _hex(ascii(_plain(tree)))


def _is_text(body):
    return bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)


def _plain(node):
    """A syntax tree as tuples, without what differs between versions of Python.

    Newer ones have more fields, empty where nothing is new, and cut f-strings in other pieces.
    """
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, ast.JoinedStr):
        node.values = list(_pieces(node.values))
    fields = [(name, _plain(value)) for name, value in ast.iter_fields(node)]
    return type(node).__name__, *(field for field in fields if field[1] not in (None, []))


def _pieces(values):
    for constant, pieces in groupby(values, lambda value: isinstance(value, ast.Constant)):
        if not constant:
            yield from pieces
        elif text := "".join(piece.value for piece in pieces):
            yield ast.Constant(text)


def _hex(text):
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


_READER = Path(__file__).read_text(encoding="utf-8")
