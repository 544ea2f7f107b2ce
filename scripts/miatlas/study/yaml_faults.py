"""What YAML's readers take without a word, or with a traceback: it is said before they read.

A key that stands twice, of which the last one would count; what contains itself; letters that are
not UTF-8.
"""

from collections.abc import Iterable
from pathlib import Path

import yaml

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MERGE = "tag:yaml.org,2002:merge"
DECIMAL_COMMA = "(a decimal comma? YAML wants 0.5, not 0,5)"


def check_files(paths: Iterable[Path | str]) -> None:
    """Refuse the first file with a fault, by ValueError, before what it says is read."""
    for path in paths:
        if said := fault(path):
            raise ValueError(said)


def fault(path: Path | str) -> str | None:
    """Say what is wrong with a file, and in which lines; None if nothing of what is looked for.

    Of a file that is no YAML nothing is said: whoever reads it says what is wrong with it.
    """
    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader)
    except UnicodeDecodeError:
        return f"{path} is not UTF-8: save it as such"
    except (OSError, yaml.YAMLError):
        return None
    found = _fault(root, "", set(), set()) if root else None
    return f"{path}, {found}" if found else None


def of_decimal_comma(key, value) -> bool:
    """Return whether a key is what YAML makes of 0,5 in braces: digits, with nothing beside it."""
    return value is None and str(key)[:1].isdigit()


def _fault(node, place, inside, seen):
    """Return what is wrong with a node; `inside`: those it is part of; `seen`: those looked at."""
    if id(node) in inside:
        return _endless(node, place)
    if id(node) in seen:  # another name for what was looked through already
        return None
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        below = [(place, each) for each in node.value]
    elif isinstance(node, yaml.MappingNode):
        if said := _twice(node, place):
            return said
        below = [each for pair in node.value for each in _of_pair(place, *pair)]
    else:
        return None
    inside = inside | {id(node)}
    faults = (_fault(each, where, inside, seen) for where, each in below)
    return next((said for said in faults if said), None)


def _of_pair(place, key, value):
    if key.tag == MERGE or not isinstance(key, yaml.ScalarNode):
        return [(place, key), (place, value)]
    return [(f"{place}.{key.value}".strip("."), value)]


def _endless(node, place):
    line = node.start_mark.line + 1
    return (
        f"line {line}: {place or 'what begins there'} is an alias (*) of what it stands in:"
        " write out what is meant"
    )


def _twice(node, place):
    lines = {}
    for key, value in node.value:
        name, line = (key.tag, str(key.value)), key.start_mark.line + 1
        if name in lines and key.tag != MERGE:
            where = f"in {place}" if place else "in the file"
            what = f"lines {lines[name]} and {line}: {key.value!r} stands twice {where}"
            if of_decimal_comma(key.value, value.value or None):
                return f"{what} {DECIMAL_COMMA}"
            return f"{what}, and the first would not count: remove or rename one"
        lines[name] = line
    return None
