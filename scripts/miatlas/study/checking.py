"""Keys and values are checked by pydantic; what is wrong is said in one line.

The line names the place, the key and what is allowed.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import cache
from types import NoneType
from typing import Annotated, Any, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from miatlas.options import REQUIRED, Option
from miatlas.study.complaints import MAPPING, complaint, kinds_in, unknown_key, without_checks

FIRST = {"extra_forbidden": 0, "invalid_key": 0, "missing": 1}  # what is said before all else


class UnknownKey(ValueError):
    """A key that is not known where it stands; `belonging` says where it is."""

    def __init__(self, where: str, key, allowed: list[str], value):
        self.where, self.key, self.allowed, self.value = where, key, allowed, value
        super().__init__(f"{where}: {unknown_key(key, allowed, value)}")

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
        said = complaint(kind, first, first["loc"])
        nullable = kind is not option.type and NoneType in kinds_in(option.type)
        said += " or must be null" if nullable else ""
        raise ValueError(f"{where}: option {key!r} is {value!r}, but it {said}") from None


def _kind_of(value, kind):
    """Return the one kind of a union that a value is of, whatever else is wrong with it."""
    bases = {each: without_checks(each) for each in kinds_in(kind)}
    bases = {each: get_origin(base) or base for each, base in bases.items()}
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
    value, said = given.get(key, field.default), complaint(kind, first, inside)
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
    kinds = kinds_in(annotation)
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)]
