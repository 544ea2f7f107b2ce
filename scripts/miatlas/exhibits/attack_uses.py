"""What an attack uses beyond one answer of the target (carlini2022 Table I), read off its code."""

import ast
import inspect
from textwrap import dedent
from types import ModuleType

NAMES = ("shadow models", "multiple queries", "class hardness", "example hardness")
OTHERS = ("refs_", "ref_", "reference_")  # arguments that hold answers of models but the target


def uses(attack: ModuleType, options: dict) -> tuple[str, ...]:
    """Return those of NAMES that an attack, with these options, uses.

    Shadow models: it reads or learns from the answers of others. Example hardness: `score` sets the
    target's answer to an example against theirs to the same one. Class hardness: then too, or where
    it looks up by label what was fitted. Multiple queries: more than the untouched example, or the
    shares of noisy copies. What `score` declares for `fit` alone, it does not compare with.
    """
    given = _given(attack, options)
    looked_at = given & _names(attack.score)
    compares = any(_of_others(name) and "_held_out_" not in name for name in looked_at)
    found = {
        "shadow models": any(map(_of_others, given | {*getattr(attack, "LESSONS", ())})),
        "multiple queries": options.get("queries", 1) != 1 or "target_noise" in given,
        "class hardness": compares or {"labels", "fitted"} <= looked_at,
        "example hardness": compares,
    }
    return tuple(name for name in NAMES if found[name])


def _of_others(name):
    return name.startswith(OTHERS)


def _given(attack, options):
    """Return the arguments that `score` is given with these options."""
    if hasattr(attack, "needs"):
        return set(attack.needs(options))
    parameters = inspect.signature(attack.score).parameters.values()
    return {p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}


def _names(function):
    """Return the names that stand in the body of a function."""
    body = ast.parse(dedent(inspect.getsource(function))).body[0].body
    return {node.id for part in body for node in ast.walk(part) if isinstance(node, ast.Name)}
