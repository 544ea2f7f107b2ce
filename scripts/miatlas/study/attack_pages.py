"""A page for an attack, in Markdown, made of what its module says."""

import re

from miatlas.audits.attack import Attack, Not, of_held_out
from miatlas.options import docstring, spelled
from miatlas.study.attack_list import citation, needs, plain
from miatlas.study.attack_modules import said
from miatlas.study.plugins import ATTACKS

OPTION = re.compile(r"`(\w+)`: (.*?)(?=\s`\w+`: |$)", re.S)
HARDNESS = {
    "none": "It takes all guesses for equally hard.",
    "class": "It learns from other models how hard a guess is in each class.",
    "example": "It learns from other models how hard a guess is for each example.",
}


def described_as_markdown(attack: str) -> str:
    """Return the page of an attack: whose, formula, what it needs and reads, its options."""
    it = said(attack)
    return "\n".join([
        f"# {it.title}\n",
        f"{_begun(citation(attack).partition('): ')[2])}\n",
        f"{it.authors} {it.year}. Defined in: {it.source}. In a study: `attack: {attack}`.\n",
        f"## Score\n\n{formula(attack)}\n",
        f"## What it needs\n\n{_needed(attack, it)}\n",
        f"## What it reads\n\n{_read(it)}\n",
        f"## Options\n\n{_options(attack)}",
    ])  # fmt: skip


def formula(attack: str) -> str:
    """Return what the docstring of `score` says of what it returns, without the options."""
    paragraphs = docstring(ATTACKS.source(attack), "score").split("\n\n")
    return "\n\n".join(p for p in paragraphs if not OPTION.match(p))


def meanings(attack: str) -> dict[str, str]:
    """Return what the last paragraph of that docstring says of each option."""
    last = docstring(ATTACKS.source(attack), "score").split("\n\n")[-1]
    found = OPTION.findall(last) if OPTION.match(last) else []
    return {option: " ".join(text.split()) for option, text in found}


def _begun(text):
    """Return a text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def _needed(attack, it: Attack):
    lines = [f"- {each}" for each in needs(attack)] or ["- nothing but the target's own answers"]
    if it.learns:
        lines.append("- members and non-members of the shadow models, to be taught by")
    return "\n".join([*lines, "", *_of_labels(it), HARDNESS[it.hardness], _passes(it)])


def _of_labels(it):
    """Say that models need answer no more than a label, where they need not."""
    if not it.labels_suffice:
        return []
    where = _any(it.labels_suffice)
    return [f"The likeliest label is all that models must answer{where and f' where {where}'}."]


def _passes(it):
    if not it.fit:
        return "One pass over the signals scores all targets."
    if it.shares_pass:
        return "All targets share a pass over the signals, and one before it where a fit is made."
    own = "A fit keeps much, so that each target has passes of its own"
    spared = any(all(map(of_held_out, one.names)) for one in it.fit)
    return own + (", but where it reads of held-out examples alone." if spared else ".")


def _read(it: Attack):
    rows, made = ["| what | by | where |", "|---|---|---|"], _any(it.fits)
    for by, every in (("score", it.score), ("fit", it.fit), ("derive", it.derive)):
        always = "where a fit is made" if by == "fit" and made else "always"
        for names in dict.fromkeys(one.names for one in every):
            when = _any(one.when for one in every if one.names == names) or always
            rows.append(f"| {', '.join(f'`{name}`' for name in names)} | `{by}` | {when} |")
    return "\n".join([*rows, *(["", f"A fit is made where {made}."] if made else [])])


def _any(conditions):
    """Say that one of several conditions holds; nothing if one of them always does."""
    return " or ".join(_condition(when) for when in conditions)


def _condition(when):
    words = (
        f"`{option}` is not {_value(value.value)}"
        if isinstance(value, Not)
        else f"`{option}` is {_value(value)}"
        for option, value in when.items()
    )
    return " and ".join(words)


def _value(value):
    return "null" if value is None else f"`{value}`"


def _options(attack):
    options, meaning = spelled(ATTACKS.source(attack), "score"), meanings(attack)
    if not options:
        return "None.\n"
    rows = ["| option | value | default | meaning |", "|---|---|---|---|"]
    for name, (kind, default) in options.items():
        cells = [f"`{name}`", plain(kind).replace(" |", ","), f"`{default}`", meaning.get(name, "")]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"
