"""Keys that stand twice in a file: YAML's readers take the last one, and say nothing."""

from pathlib import Path

import yaml

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MERGE = "tag:yaml.org,2002:merge"
DECIMAL_COMMA = "(a decimal comma? YAML wants 0.5, not 0,5)"


def repeated_key(path: Path | str) -> str | None:
    """Say which key of a file stands twice, and in which lines; None if none does.

    Of a file that is no YAML nothing is said: whoever reads it says what is wrong with it.
    """
    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    found = _repeated(root, "", set()) if root else None
    return f"{path}, {found}" if found else None


def of_decimal_comma(key, value) -> bool:
    """Return whether a key is what YAML makes of 0,5 in braces: digits, with nothing beside it."""
    return value is None and str(key)[:1].isdigit()


def _repeated(node, place, seen):
    if id(node) in seen:  # another name for what was looked through already
        return None
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        below = [(place, each) for each in node.value]
    elif isinstance(node, yaml.MappingNode):
        if said := _twice(node, place):
            return said
        below = [(f"{place}.{key.value}".strip("."), value) for key, value in node.value]
    else:
        return None
    return next((said for where, each in below if (said := _repeated(each, where, seen))), None)


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
