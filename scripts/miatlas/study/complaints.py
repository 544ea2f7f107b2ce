"""What is said of a wrong key or value: what it must be instead, and what may have been meant."""

import math
from datetime import date
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from miatlas.options import Range
from miatlas.study.yaml_faults import DECIMAL_COMMA, of_decimal_comma

MAPPING = "must be a mapping of keys to values, not"


TYPES = ("int_type", "float_type", "bool_type", "string_type", "list_type", "dict_type")


def kinds_in(kind):
    """Return the kinds that a union consists of."""
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def unknown_key(key, allowed, value):
    """Say that there is no such key, which one may have been meant, and which there are."""
    listed = f"allowed: {', '.join(allowed) or 'none'}"
    if of_decimal_comma(key, value):
        return f"unknown option {key!r} {DECIMAL_COMMA}; {listed}"
    return f"unknown option {key!r}{meant(key, allowed)}; {listed}"


def meant(name, allowed: list[str]) -> str:
    """Return a question, in parentheses, for the one that a wrong name is close to; or nothing."""
    close = get_close_matches(str(name), allowed, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def complaint(kind, error, inside):
    """Say what a value must be instead, by its kind and pydantic's error."""
    kinds = [each for each in kinds_in(kind) if each is not NoneType]
    said = " or ".join(_type(each) for each in kinds)
    if len(kinds) == 1:
        said = _single(kinds[0], error, inside)
    return f"{said} or must be null" if NoneType in kinds_in(kind) else said


def _single(kind, error, inside):
    base, *checks = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    if inside and error["type"] not in TYPES:
        return f"has {error['input']!r}, which {_single(get_args(base)[0], error, inside[1:])}"
    if error["type"] in TYPES or error["type"] == "literal_error":
        return _type(kind) + _as_yaml_reads(error["input"], error["type"])
    if error["type"] == "finite_number":
        return "must be finite"
    return next((check.words for check in checks if isinstance(check, Range)), error["msg"])


def without_checks(kind):
    """Return a kind without its checks."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _type(kind):
    base = without_checks(kind)
    if get_origin(base) is Literal:
        return f"must be one of {', '.join(map(str, get_args(base)))}"
    if get_origin(base) is list:
        return f"must be a list of {_name(get_args(base)[0])}"
    return f"must be of type {_name(base)}"


def _name(kind):
    return without_checks(kind).__name__


def _as_yaml_reads(value, expected):
    """Say what YAML has made of a value that is meant to be of another type; "" if nothing."""
    if expected == "string_type" and (kind := yaml_kind(value)):
        return f", and YAML reads it as {kind}: quote it"
    number = _number(value) if expected == "float_type" else None
    if number is None:
        return ""
    return f", and YAML takes {value} for text: write {number}"


def yaml_kind(value) -> str | None:
    """Return what YAML has read an unquoted word as, in words; None if as text."""
    kinds = {bool: "true or false", int: "a number", float: "a number", date: "a date",
             NoneType: "nothing"}  # fmt: skip
    return next((words for kind, words in kinds.items() if isinstance(value, kind)), None)


def _number(text):
    """Return a number that YAML takes for text, as YAML takes it for one; None if it is none."""
    try:
        value = float(text.replace(",", "."))
    except (AttributeError, ValueError):
        return None
    written = repr(value) if "." in repr(value) else repr(value).replace("e", ".0e")
    return written if math.isfinite(value) else None
