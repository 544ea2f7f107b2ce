"""A digest of the code that a job runs, so that editing it reruns that job and no other.

Snakemake looks at a script's modification time and never at the modules it imports. This digest
covers the script, what it imports within its folder, transitively, and modules chosen by name; it
is taken of the syntax trees without docstrings, so that comments and formatting change nothing.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path


@cache
def digest(root: Path, *files: str) -> str:
    """Return a short hex digest of `files` below `root` and of all they import below it."""
    found: set[Path] = set()
    waiting = [root / file for file in files]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += imported(root, path)
    content = "".join(f"{path.relative_to(root)}\n{_code(path)}\n" for path in sorted(found))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


@cache
def imported(root: Path, path: Path) -> tuple[Path, ...]:
    """Return the files below `root` that one file imports, package `__init__` files included."""
    names = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    parents = {
        ".".join(name.split(".")[:n]) for name in names for n in range(1, name.count(".") + 2)
    }
    candidates = [root / Path(*name.split(".")) for name in parents]
    files = [f for c in candidates for f in (c.with_suffix(".py"), c / "__init__.py")]
    return tuple(sorted(file for file in files if file.is_file()))


@cache
def _tree(path):
    return ast.parse(path.read_text(), filename=str(path))


@cache
def _code(path):
    tree = _tree(path)  # losing its texts changes nothing of what it imports
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and _is_text(body):
            node.body = body[1:]
    return ast.dump(tree)


def _is_text(body):
    return bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
