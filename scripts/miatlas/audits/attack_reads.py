"""What an attack reads, by its source: nothing is imported to find out."""

import __future__

import ast
import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from miatlas.options import constant, inputs

LIBRARY = Path(__file__).parents[1]
ATTACKS = ("miatlas.attacks", "miatlas.attacks.shared")

# Whose answer about what: the target's, its shadow models', one of theirs, the third cohort's.
ANSWER = re.compile(
    r"(?P<who>target|refs|ref|reference)_(?P<held_out>held_out_)?"
    r"(?P<what>phi|logits|noise|gradients|distances)"
)
OTHERS = ("refs_in", "refs_out", "labels", "held_out_labels", "examples", "fitted")


def reads(attack: str, options: dict | None = None) -> set[str]:
    """Return what an attack reads: what its `score` takes, and what its lessons carry.

    With options, what its `needs` says of them, if it has one; without, all that it may ever read.
    """
    source = LIBRARY / "attacks" / f"{attack}.py"
    needs = None if options is None else _function(source, "needs")
    try:
        taken = inputs(source, "score") if needs is None else needs(options)
    except Exception as error:
        only = "it is run with no more of its module than the functions"
        raise ValueError(f"has a needs that raises {error!r}: {only}") from None
    return {*taken, *constant(source, "LESSONS", ())}


def unreadable(attack: str, options: dict) -> str | None:
    """Say what an attack reads that there is not, following its name; None if nothing."""
    try:
        names = sorted(reads(attack, options))
    except ValueError as error:
        return str(error)
    wrong = [name for name in names if name not in OTHERS and not ANSWER.fullmatch(name)]
    if not wrong:
        return None
    return (
        f"reads {wrong[0]}, which there is not; there is: {', '.join(OTHERS)}, and phi, logits,"
        " noise, gradients and distances of target_, refs_, ref_ and reference_"
        " (also target_held_out_, ...)"
    )


@cache
def _function(source: Path, name: str):
    """Return a function of an attack's module, able to call others of it and of its siblings.

    They have no more than these, and what Python itself has: the modules that an attack computes
    with take longer to import than a study takes to read. None if there is no such function.
    """
    tree = ast.parse(source.read_text(encoding="utf-8"), filename=str(source))
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if name not in defined:
        return None
    siblings = {
        alias.name: LIBRARY.joinpath(*node.module.split(".")[1:], f"{alias.name}.py")
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module in ATTACKS
        for alias in node.names
    }
    named = {node.id for node in ast.walk(defined[name]) if isinstance(node, ast.Name)}
    known = {other: _function(source, other) for other in named & set(defined) - {name}}
    for other in named & set(siblings):
        needs = _function(siblings[other], "needs")
        known[other] = SimpleNamespace(needs=needs)
    flags = __future__.annotations.compiler_flag  # annotations stay text
    module = ast.Module([defined[name]], type_ignores=[])
    exec(compile(module, str(source), "exec", flags, dont_inherit=True), known)
    return known[name]
