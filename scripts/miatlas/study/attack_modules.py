"""What the attacks that a study names say of themselves, and what is wrong with a module's words.

A module is imported to be asked: attacks import neither torch nor, before they run, what is slow.
"""

import inspect
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from miatlas.audits.attack import ANSWER, OTHERS, PROBES, Attack, load
from miatlas.running.plugins import is_file


@cache
def said(name: str) -> Attack:
    """Return the object ATTACK of an attack's module.

    Raises ValueError, with one line that names the file, if it cannot be imported, or if what the
    object says is not what the module does.
    """
    own = is_file(name)
    file = name if own else f"attacks/{name}.py"
    try:
        module = load(name)
    except SyntaxError as error:
        raise ValueError(f"{file}, line {error.lineno}: {error.msg}") from None
    except Exception as error:
        if own:
            raise  # as ValueError, which names file and line
        raise ValueError(f"{file} cannot be imported: {error!r}") from None
    if wrong := complaint(module):
        raise ValueError(f"{file}{wrong}")
    return module.ATTACK


def called(label: str, attack: str) -> str:
    """Return an attack's title; with its label where that is not the name of its file."""
    title = said(attack).title
    return title if label == Path(attack).stem else f"{title} ({label})"


def complaint(module: ModuleType) -> str | None:
    """Say what is wrong with a module's ATTACK, going on from its file's name; None if nothing."""
    attack, own = getattr(module, "ATTACK", None), vars(module)
    if not callable(own.get("score")):
        return ": no function 'score'"
    if not isinstance(attack, Attack):
        return ": no ATTACK = Attack(...), which says whose it is and what it reads"
    claims = {"fit": bool(attack.fit), "summarise": bool(attack.fit) and attack.shares_pass,
              "derive": bool(attack.derive)}  # fmt: skip
    for name, claimed in claims.items():
        if claimed != callable(own.get(name)):
            return f": its ATTACK says {'that' if claimed else 'nothing of what'} it has a {name}"
    return _unknown(attack) or _not_taken(attack, module.score)


def _unknown(attack):
    """Names must be of what there is to read."""
    for name in sorted(attack.read()):
        if name not in OTHERS and not ANSWER.fullmatch(name):
            return (
                f" reads {name}, which there is not; there is: {', '.join(OTHERS)}, and phi,"
                f" logits, {', '.join(PROBES[:-1])} and {PROBES[-1]} of target_, refs_, ref_"
                " and reference_ (also target_held_out_, ...), normal_regression and"
                " quantile_regression of target_, perturbed of target_ and refs_"
            )
    return None


def _not_taken(attack, score):
    """`score` takes what the object says, and the conditions are on options that there are."""
    taken, options = _parameters(score)
    given = attack.read_by_score() | ({"fitted"} if attack.fit else set())
    if more := sorted(given - set(taken)):
        return f": its ATTACK says that score reads {more[0]}, but score takes no {more[0]}"
    if more := sorted(set(taken) - given):
        return f": its score takes {more[0]}, but its ATTACK does not say that it reads it"
    read = [one.when for one in (*attack.score, *attack.fit, *attack.derive)]
    for when in (*read, *attack.fits, *attack.in_order, *attack.labels_suffice):
        if more := sorted(set(when) - options):
            return f": its ATTACK asks for the option {more[0]}, but score has none"
    return None


def _parameters(score) -> tuple[Mapping[str, bool], set[str]]:
    """Return the arguments of a function, whether each must be given, and its options."""
    found = inspect.signature(score).parameters.values()
    return (
        {p.name: p.default is p.empty for p in found if p.kind is p.POSITIONAL_OR_KEYWORD},
        {p.name for p in found if p.kind is p.KEYWORD_ONLY},
    )
