"""Options are the keyword-only parameters of a function, read from its source.

Attacks, architectures, figures and tables declare their options where they use them; a study is
checked against these declarations before anything runs, and without importing the modules (torch
alone takes longer to import than the whole workflow to parse).
"""

import ast
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

REQUIRED = object()


def positive(value) -> str | None:
    """Refuse zero and below."""
    return None if value > 0 else "must be positive"


def nonnegative(value) -> str | None:
    """Refuse what is below zero."""
    return None if value >= 0 else "must not be negative"


def between(low, high):
    """Return a check that refuses what lies outside [low, high]."""
    return lambda value: None if low <= value <= high else f"must lie in [{low}, {high}]"


def evaluated(level) -> str | None:
    """Refuse an FPR at which no TPR is measured."""
    levels = constant(Path(__file__).with_name("leakage") / "metrics.py", "LEVELS")
    known = ", ".join(f"{level:g}" for level in levels)
    return None if level in levels else f"must be one of {known}, where TPRs are measured"


@dataclass(frozen=True)
class Option:
    """One option: its type, with its checks, and its default (REQUIRED if it has none)."""

    type: Any
    default: Any


VOCABULARY = {
    "Annotated": Annotated, "Literal": Literal, "Any": Any,
    "positive": positive, "nonnegative": nonnegative, "between": between,
    "evaluated": evaluated,
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


def spelled(source: Path, function: str) -> dict[str, tuple[str, str]]:
    """Return the options of `function` as they are written: name -> (type with checks, default)."""
    arguments = _definition(source, function).args
    pairs = list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    kinds = {a.arg: ast.unparse(a.annotation) if a.annotation else "Any" for a, _ in pairs}
    return {a.arg: (kinds[a.arg], ast.unparse(value) if value else "?") for a, value in pairs}


def first_line(source: Path) -> str:
    """Return the first line of a module's docstring; "" if it has none."""
    return (ast.get_docstring(_tree(source)) or "").partition("\n")[0]


@cache
def constant(source: Path, name: str, default=None):
    """Return the literal that the module in the file `source` assigns to `name`, or the default."""
    for node in _tree(source).body:
        if isinstance(node, ast.Assign) and [t.id for t in node.targets if hasattr(t, "id")] == [
            name
        ]:
            return ast.literal_eval(node.value)
    return default


def checked(given: dict, options: dict[str, Option], where: str) -> dict:
    """Return `given` completed with the defaults; refuse unknown keys and wrong values.

    Raises ValueError with one line that names the place, the key and what is allowed.
    """
    unknown = sorted(set(given) - set(options))
    if unknown:
        allowed = ", ".join(options) or "none"
        raise ValueError(f"{where}: unknown option {unknown[0]!r}; allowed: {allowed}")
    result = {}
    for name, option in options.items():
        value = given.get(name, option.default)
        if value is REQUIRED:
            raise ValueError(f"{where}: option {name!r} is required")
        value = deepcopy(value)
        complaint = mismatch(value, option.type)
        if complaint:
            raise ValueError(f"{where}: option {name!r} is {value!r}, but it {complaint}")
        result[name] = value
    return result


def mismatch(value, kind) -> str | None:
    """Say what is wrong with `value` as a `kind`; None if nothing is."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        base, *checks = arguments
        complaints = [mismatch(value, base)] if mismatch(value, base) else []
        complaints += [] if complaints else [check(value) for check in checks]
        return next((complaint for complaint in complaints if complaint), None)
    if origin is Literal:
        return None if value in arguments else f"must be one of {', '.join(map(str, arguments))}"
    if origin in (Union, UnionType):
        complaints = [mismatch(value, argument) for argument in arguments]
        return None if None in complaints else " or ".join(complaints)
    if origin is list:
        return _list_mismatch(value, arguments[0])
    return _scalar_mismatch(value, kind)


def _list_mismatch(value, kind) -> str | None:
    base = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if not isinstance(value, list) or any(mismatch(each, base) is not None for each in value):
        return f"must be a list of {base.__name__}"
    complaints = ((each, mismatch(each, kind)) for each in value)
    return next((f"has {each!r}, which {said}" for each, said in complaints if said), None)


def _scalar_mismatch(value, kind) -> str | None:
    if kind is Any:
        return None
    if kind is type(None):
        return None if value is None else "must be null"
    right = isinstance(value, (int, float) if kind is float else kind)
    fits = right and (kind is bool or not isinstance(value, bool))
    if fits:
        return None if kind is not float or isfinite(value) else "must be finite"
    if kind is float and _is_number(value):
        return "must be of type float, and YAML takes 1e-3 for text: write 1.0e-3"
    return f"must be of type {kind.__name__}"


def _is_number(text) -> bool:
    try:
        return isinstance(text, str) and isfinite(float(text))
    except ValueError:
        return False


@cache
def _tree(source: Path) -> ast.Module:
    try:
        return ast.parse(source.read_text(), filename=str(source))
    except SyntaxError as error:
        raise ValueError(f"{_short(source)}, line {error.lineno}: {error.msg}") from None


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
        return Option(_evaluate(argument.annotation), default)
    except (NameError, TypeError, ValueError):
        words = f"a type made of {', '.join(VOCABULARY)}, and a literal default"
        raise ValueError(f"{_short(source)}: option {argument.arg!r} needs {words}") from None


def _evaluate(annotation: ast.expr | None) -> Any:
    if annotation is None:
        return Any
    code = compile(ast.Expression(annotation), "<annotation>", "eval")
    return eval(code, {"__builtins__": {}}, VOCABULARY)
