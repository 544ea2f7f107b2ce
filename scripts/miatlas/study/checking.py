"""Keys and values are checked by pydantic; what is wrong is said in one line.

The line names the place, the key and what is allowed.
"""

import math
from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import date
from difflib import get_close_matches
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from miatlas.options import REQUIRED, Option, Range
from miatlas.study.repeated_keys import DECIMAL_COMMA, of_decimal_comma

MAPPING = "must be a mapping of keys to values, not"
FIRST = {"extra_forbidden": 0, "invalid_key": 0, "missing": 1}  # what is said before all else
TYPES = ("int_type", "float_type", "bool_type", "string_type", "list_type", "dict_type")


class UnknownKey(ValueError):
    """A key that is not known where it stands; `belonging` says where it is."""

    def __init__(self, where: str, key, allowed: list[str], value):
        self.where, self.key, self.allowed, self.value = where, key, allowed, value
        super().__init__(f"{where}: {_unknown(key, allowed, value)}")

    def belonging(self, place: str | None) -> ValueError:
        """Return the same refusal that also names the key's own place, where it has one."""
        if place is None:
            return self
        listed = f"allowed: {', '.join(self.allowed) or 'none'}"
        return ValueError(
            f"{self.where}: unknown option {self.key!r} (it belongs {place}); {listed}"
        )


class Section(BaseModel):
    """A mapping of known keys to values of their types; numbers are finite.

    A key that is null is not there, and has its default.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        protected_namespaces=(),
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given):
        if not isinstance(given, Mapping):
            return given
        return {k: v for k, v in given.items() if v is not None or k not in cls.model_fields}


@cache
def adapter(kind) -> TypeAdapter:
    """Return what checks values of a kind; making one for each is faster than a model for all."""
    return TypeAdapter(kind, config=ConfigDict(strict=True, allow_inf_nan=False))


def checked(
    given: Any, keys: type[Section] | dict[str, Option], where: str, beside: Iterable[str] = ()
) -> dict:
    """Return `given` completed with the defaults; refuse unknown keys and wrong values.

    `keys`: a section, or options as they are declared. `beside`: keys that are allowed in the same
    place, and are not in `given`. Raises ValueError with one line that names the place, the key and
    what is allowed.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"{where}: {MAPPING} {given!r}")
    names = keys if isinstance(keys, dict) else keys.model_fields
    unknown = [key for key in given if key not in names]
    if unknown:
        raise UnknownKey(where, unknown[0], [*beside, *names], given[unknown[0]])
    if isinstance(keys, dict):
        return {key: _value(given.get(key), key, option, where) for key, option in keys.items()}
    try:
        return keys.model_validate(dict(given)).model_dump()
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False), keys, given, where) from None


def _value(given, key, option, where):
    """Return the value of an option, its default where none is given."""
    if given is None and option.default is REQUIRED:
        raise ValueError(f"{where}: option {key!r} is required")
    value = deepcopy(option.default) if given is None else given
    try:
        return adapter(option.type).validate_python(value)
    except ValidationError:
        kind = _kind_of(value, option.type)
        first = _first_error(kind, value)
        said = _complaint(kind, first, first["loc"])
        nullable = kind is not option.type and NoneType in _kinds(option.type)
        said += " or must be null" if nullable else ""
        raise ValueError(f"{where}: option {key!r} is {value!r}, but it {said}") from None


def _kind_of(value, kind):
    """Return the one kind of a union that a value is of, whatever else is wrong with it."""
    bases = {each: get_origin(_base(each)) or _base(each) for each in _kinds(kind)}
    kinds = [each for each, base in bases.items() if base is type(value)]
    return kinds[0] if len(kinds) == 1 else kind


def _first_error(kind, value):
    try:
        adapter(kind).validate_python(value)
    except ValidationError as error:
        return error.errors(include_url=False)[0]


def _refusal(errors, section, given, where):
    """Return what is raised of pydantic's errors: one of them, an unknown key before all else."""
    first = min(errors, key=lambda error: FIRST.get(error["type"], 2))
    section, given, where, (key, *inside) = _place(section, given, where, first["loc"])
    if first["type"] in ("extra_forbidden", "invalid_key"):
        return UnknownKey(where, key, list(section.model_fields), given[key])
    if first["type"] == "missing":
        return ValueError(f"{where}: option {key!r} is required")
    if first["type"] == "model_type":
        return ValueError(f"{where}.{key}: {MAPPING} {given[key]!r}")
    field = section.model_fields[key]
    kind = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    value, said = given.get(key, field.default), _complaint(kind, first, inside)
    return ValueError(f"{where}: option {key!r} is {value!r}, but it {said}")


def _place(section, given, where, path):
    """Return the innermost section that a path enters, what is given of it, and where it is."""
    key, *rest = path
    field = section.model_fields.get(key)
    inner = sections_of(field.annotation) if field else []
    if inner and rest:
        return _place(inner[0], given[key], f"{where}.{key}", rest)
    return section, given, where, path


def sections_of(annotation) -> list[type[Section]]:
    """Return the sections that a key of that type may hold."""
    kinds = _kinds(annotation)
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)]


def _kinds(kind):
    """Return the kinds that a union consists of."""
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _unknown(key, allowed, value):
    """Say that there is no such key, which one may have been meant, and which there are."""
    listed = f"allowed: {', '.join(allowed) or 'none'}"
    if of_decimal_comma(key, value):
        return f"unknown option {key!r} {DECIMAL_COMMA}; {listed}"
    return f"unknown option {key!r}{meant(key, allowed)}; {listed}"


def meant(name, allowed: list[str]) -> str:
    """Return a question, in parentheses, for the one that a wrong name is close to; or nothing."""
    close = get_close_matches(str(name), allowed, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _complaint(kind, error, inside):
    """Say what a value must be instead, by its kind and pydantic's error."""
    kinds = [each for each in _kinds(kind) if each is not NoneType]
    said = " or ".join(_type(each) for each in kinds)
    if len(kinds) == 1:
        said = _single(kinds[0], error, inside)
    return f"{said} or must be null" if NoneType in _kinds(kind) else said


def _single(kind, error, inside):
    base, *checks = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    if inside and error["type"] not in TYPES:
        return f"has {error['input']!r}, which {_single(get_args(base)[0], error, inside[1:])}"
    if error["type"] in TYPES or error["type"] == "literal_error":
        return _type(kind) + _as_yaml_reads(error["input"], error["type"])
    if error["type"] == "finite_number":
        return "must be finite"
    return next((check.words for check in checks if isinstance(check, Range)), error["msg"])


def _base(kind):
    """Return a kind without its checks."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _type(kind):
    base = _base(kind)
    if get_origin(base) is Literal:
        return f"must be one of {', '.join(map(str, get_args(base)))}"
    if get_origin(base) is list:
        return f"must be a list of {_name(get_args(base)[0])}"
    return f"must be of type {_name(base)}"


def _name(kind):
    return _base(kind).__name__


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
