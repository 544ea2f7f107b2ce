"""Options are the keyword-only parameters of a function, read from its source.

Attacks, architectures, figures and tables declare their options where they use them; a study is
checked against these declarations before anything runs, and without importing the modules (torch
alone takes longer to import than the whole workflow to parse). Every plug-in imports this one: it
needs nothing but Python.
"""

import ast
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

REQUIRED = object()


@dataclass(frozen=True)
class Range:
    """A check of a number, which pydantic makes, and a schema shows: gt 0, or ge 0 and le 1."""

    words: str
    limits: tuple[tuple[str, float], ...]

    def __get_pydantic_core_schema__(self, source, handler):
        """Return what pydantic checks, with these limits."""
        return {**handler(source), **dict(self.limits)}


positive = Range("must be positive", (("gt", 0),))
nonnegative = Range("must not be negative", (("ge", 0),))


inside_unit = Range("must lie between 0 and 1", (("gt", 0), ("lt", 1)))


def between(low, high) -> Range:
    """Return a check that refuses what lies outside [low, high]."""
    return Range(f"must lie in [{low}, {high}]", (("ge", low), ("le", high)))


@dataclass(frozen=True)
class Option:
    """One option: its type, with its checks, and its default (REQUIRED if it has none)."""

    type: Any
    default: Any


VOCABULARY = {
    "Annotated": Annotated, "Literal": Literal, "Any": Any,
    "positive": positive, "nonnegative": nonnegative, "between": between,
    "int": int, "float": float, "bool": bool, "str": str, "list": list, "dict": dict,
}  # fmt: skip


@cache
def declared(source: Path, function: str) -> dict[str, Option]:
    """Return the options of `function` in the file `source`, by name, in their order."""
    arguments = _definition(source, function).args
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {argument.arg: _option(source, argument, value) for argument, value in pairs}


@cache
def inputs(source: Path, function: str) -> tuple[str, ...]:
    """Return the names of the positional parameters of `function`: what it reads."""
    return tuple(argument.arg for argument in _definition(source, function).args.args)


@cache
def required(source: Path, function: str) -> tuple[str, ...]:
    """Return those of the inputs that have no default: what it always reads."""
    defaults = len(_definition(source, function).args.defaults)
    names = inputs(source, function)
    return names[: len(names) - defaults]


@cache
def functions(source: Path) -> tuple[str, ...]:
    """Return the names of the functions that a module defines."""
    return tuple(node.name for node in _tree(source).body if isinstance(node, ast.FunctionDef))


def spelled(source: Path, function: str) -> dict[str, tuple[str, str]]:
    """Return the options of `function` as they are written: name -> (type with checks, default)."""
    arguments = _definition(source, function).args
    pairs = list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    kinds = {a.arg: ast.unparse(a.annotation) if a.annotation else "Any" for a, _ in pairs}
    return {a.arg: (kinds[a.arg], ast.unparse(value) if value else "?") for a, value in pairs}


def docstring(source: Path, function: str | None = None) -> str:
    """Return the docstring of a module, or of a function in it; "" if it has none."""
    node = _definition(source, function) if function else _tree(source)
    return ast.get_docstring(node) or ""


@cache
def constant(source: Path, name: str, default=None):
    """Return the literal that the module in the file `source` assigns to `name`, or the default."""
    for node in _tree(source).body:
        if isinstance(node, ast.Assign) and [t.id for t in node.targets if hasattr(t, "id")] == [
            name
        ]:
            return _literal(node.value, source, name)
    return default


def _literal(node, source, name):
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(f"{_short(source)}: {name} is not written out as a literal") from None


@cache
def _tree(source: Path) -> ast.Module:
    try:
        return ast.parse(source.read_text(encoding="utf-8"), filename=str(source))
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise ValueError(f"{_short(source)}{line}: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{_short(source)}: {error}") from None


def _short(source: Path) -> str:
    return f"{source.parent.name}/{source.name}"


def _definition(source: Path, function: str) -> ast.FunctionDef:
    for node in _tree(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            return node
    raise ValueError(f"{_short(source)}: no function {function!r}")


def _option(source, argument, value) -> Option:
    try:
        default = REQUIRED if value is None else ast.literal_eval(value)
        return Option(_evaluate(argument.annotation, source), default)
    except (NameError, TypeError, ValueError, ImportError, AttributeError):
        words = f"a type made of {', '.join(VOCABULARY)}, and a literal default"
        raise ValueError(f"{_short(source)}: option {argument.arg!r} needs {words}") from None


def _evaluate(annotation: ast.expr | None, source: Path) -> Any:
    if annotation is None:
        return Any
    used = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    known = VOCABULARY | _imported(source, used - set(VOCABULARY))
    code = compile(ast.Expression(annotation), "<annotation>", "eval")
    return eval(code, {"__builtins__": {}}, known)


def _imported(source: Path, names: set[str]) -> dict[str, Any]:
    """Return what a module imports from others of the library under some names: light ones."""
    return {
        alias.name: getattr(import_module(node.module), alias.name)
        for node in _tree(source).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("miatlas.")
        for alias in node.names
        if alias.name in names
    }
