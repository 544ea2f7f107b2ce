"""The JSON Schema of the keys of a section, and of the options of plug-ins.

Any key may be null, which takes away what a file has of it that this one is read on top of.
"""

import json
import re
from typing import Any, get_args

from miatlas.options import REQUIRED, docstring
from miatlas.study.checking import Section, adapter
from miatlas.study.plugins import Modules, marked

NULL = {"type": "null"}
OWN = {  # a plug-in that is a file of one's own, with its options
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string", "pattern": r"\.py$"}},
}
OWN_NAME = {**OWN, "additionalProperties": False}  # where its options stand beside


def options_object(kind: Modules, name: str) -> dict:
    """Return the schema of a mapping of a plug-in's options."""
    return {"type": ["object", "null"], **narrow(option_properties(kind, name))}


def option_properties(kind: Modules, name: str) -> dict[str, dict]:
    """Return the schema of every option of a plug-in, with what its docstring says of it."""
    properties = {}
    for key, option in kind.options(name).items():
        default = {} if option.default is REQUIRED else {"default": option.default}
        properties[key] = _nullable(default | _plain(adapter(option.type).json_schema()))
    source = kind.source(name)
    text = f"{docstring(source)} {docstring(source, kind.called(name))}"
    for key, schema in properties.items():
        if said := meaning(text, key):
            schema["description"] = said
    return properties


def meaning(text: str, option: str) -> str:
    """Return what a docstring says of an option: `it`: what it is, or clauses that name `it`."""
    clauses = re.split(r"(?<=[.;])\s+", " ".join(text.split()))
    for clause in clauses:
        if clause.startswith(f"`{option}`: "):
            return clause.partition(": ")[2].rstrip(".;") + "."
    found = [clause.rstrip(".;") for clause in clauses if f"`{option}`" in clause]
    return "; ".join(found) + "." if found else ""


def properties_of(section: type[Section]) -> dict[str, dict]:
    """Return the schema of every key of a section; any may be null."""
    found = section.model_json_schema(ref_template="#/definitions/{model}")["properties"]
    return {
        key: _nullable(_plain(found[key]) | _chosen(field))
        for key, field in section.model_fields.items()
    }


def _chosen(field):
    """Return what a field's mark says of it: the name of a plug-in, or one with its options."""
    kind = marked(field)
    if kind is None:
        return {}
    name = {"enum": kind.names()}
    if dict in (field.annotation, *get_args(field.annotation)):
        known = with_options({"name": name}, "name", kind)
        return {"anyOf": [known, OWN]} if kind.own else known
    names = {"enum": [*kind.names(), None]}
    both = {"type": ["string", "object", "null"], "anyOf": [names, OWN_NAME]}
    return both if kind.own else names


def with_options(own, key, kind: Modules):
    """Return the schema of a mapping that holds a plug-in's name at `key`, and its options."""
    every = {name: option_properties(kind, name) for name in kind.names()}
    kept = dict.fromkeys(own, True)
    known = object_of({**union(every.values()), **own}) | {
        "allOf": [case(key, name, narrow({**kept, **every[name]})) for name in every]
    }
    return unless_own([key], {"properties": own}, known) if key != "name" else known


def unless_own(keys, own, known):
    """Return the schema of what names a plug-in at one of `keys`: a file of one's own, or not."""
    named = [{"required": [k], "properties": {k: {"type": "object"}}} for k in keys]
    return {"type": "object", "if": {"anyOf": named}, "then": own, "else": known}


def case(key, name, then):
    return {"if": {"required": [key], "properties": {key: {"const": name}}}, "then": then}


def narrow(properties):
    """Allow these keys only, and null for others: options of what stood there before."""
    return {"properties": properties, "additionalProperties": NULL}


def union(every):
    """Return every option's schema; of options that several plug-ins have, any of theirs."""
    found = {}
    for properties in every:
        for key, schema in properties.items():
            plain = {w: value for w, value in schema.items() if w not in ("description", "default")}
            found.setdefault(key, {})[json.dumps(plain, sort_keys=True)] = plain
    return {key: _any(list(schemas.values())) for key, schemas in found.items()}


def _any(schemas):
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _plain(schema: Any) -> Any:
    """Return pydantic's schema without its titles; sections are named in lower case."""
    plain = {key: value for key, value in schema.items() if key != "title"}
    if "$ref" in plain:
        plain["$ref"] = f"#/definitions/{plain['$ref'].rpartition('/')[2].lower()}"
    if "anyOf" in plain:
        plain["anyOf"] = [_plain(each) for each in plain["anyOf"]]
    return plain


def _nullable(schema):
    """Return a schema that null fits as well."""
    if isinstance(schema.get("type"), str):
        schema = schema | {"type": [schema["type"], "null"]}
    if "enum" in schema:
        return schema | {"enum": [*(value for value in schema["enum"] if value is not None), None]}
    if "anyOf" in schema:
        return schema | {"anyOf": [*(each for each in schema["anyOf"] if each != NULL), NULL]}
    if "$ref" in schema:  # what stands beside it would not count
        return schema | {"anyOf": [{"$ref": schema.pop("$ref")}, NULL]}
    return schema


def mapping_of(properties):
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


def object_of(properties):
    return {"type": "object", "properties": properties, "additionalProperties": False}
