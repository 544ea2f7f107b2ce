"""The schema of a study as JSON Schema, by which editors complete and check one.

It comes from the sections and from what plug-ins declare, and from nowhere else. A file may be read
on top of another: so nothing is required, and any key may be null, which takes it away.
"""

from miatlas.options import docstring
from miatlas.study import cohorts, plugins, private_recipes, recipes, sections
from miatlas.study.json_keys import (
    NULL,
    case,
    mapping_of,
    narrow,
    object_of,
    option_properties,
    options_object,
    properties_of,
    union,
    unless_own,
    with_options,
)
from miatlas.study.reading import KINDS, LONGEST

NAME = {"pattern": r"^[^\s/.,:]+$", "maxLength": LONGEST}


def study_schema() -> dict:
    """Return the schema of a whole study file."""
    top = object_of(properties_of(sections.Study))
    top["properties"]["study"] |= NAME
    for kind in KINDS:
        top["properties"][f"{kind}s"] |= _entries(f"#/definitions/{kind}")
    top["properties"]["attacks"]["properties"] = {n: _labelled(n) for n in plugins.ATTACKS.names()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A study of miatlas",
        "description": sections.Study.__doc__,
        **top,
        "definitions": _definitions(),
    }


def _definitions():
    population = properties_of(sections.Population)
    canaries = properties_of(sections.Canaries)
    canaries["other"]["anyOf"][0] = _reference("population")
    cohort = properties_of(cohorts.Cohort)
    probes = plugins.PROBES.names()
    cohort["probes"] |= mapping_of({name: options_object(plugins.PROBES, name) for name in probes})
    return {
        "tolerance": object_of(properties_of(sections.Tolerance)),
        "population": with_options(population, "source", plugins.SOURCES),
        "canaries": object_of(canaries),
        "recipe": object_of(properties_of(recipes.Recipe)),
        "cohort": _cohort(cohort),
        "privacy": object_of(properties_of(private_recipes.Privacy)),
        "queries": object_of(properties_of(cohorts.Queries)),
        "perturbation": object_of(properties_of(sections.Perturbation)),
        "bounds": object_of(properties_of(cohorts.Bounds)),
        "teacher": object_of(properties_of(cohorts.Teacher)),
        "attack": with_options(properties_of(sections.Attack), "attack", plugins.ATTACKS),
        "audit": object_of(properties_of(sections.Audit)),
        "exhibit": _exhibit(properties_of(sections.Exhibit)),
    }


def _entries(reference):
    return {
        "type": ["object", "null"],
        "propertyNames": NAME,
        "additionalProperties": {"anyOf": [{"$ref": reference}, NULL]},
    }


def _labelled(name):
    """Return the schema of an attack whose label is an attack's name, which need not be said."""
    other = {"required": ["attack"]}
    sorts = [_reference("attack"), {"if": {"not": other}, "then": _only(name)}]
    title = docstring(plugins.ATTACKS.source(name)).partition("\n")[0]
    return {"description": title, "anyOf": [{"allOf": sorts}, NULL]}


def _only(name):
    own = dict.fromkeys(sections.Attack.model_fields, True)
    return narrow({**own, **option_properties(plugins.ATTACKS, name)})


def _cohort(properties):
    """Return the schema of a cohort: one trained here, or one of the sorts that a key tells."""
    cases = {"signals": cohorts.ExternalCohort, "weights": cohorts.ReleasedCohort,
             "models_of": cohorts.AskedAgain}  # fmt: skip
    others = [properties_of(section) for section in cases.values()]
    return object_of({**others[0], **others[1], **properties}) | {
        "allOf": [
            {
                "if": {"required": [key], "properties": {key: {"type": ["string", "array"]}}},
                "then": narrow(dict.fromkeys(section.model_fields, True)),
            }
            for key, section in cases.items()
        ]
    }


def _exhibit(properties):
    """Return the schema of an exhibit, whose options are those of the figure or table it names."""
    kinds = {"figure": plugins.FIGURES, "table": plugins.TABLES}
    labels = {"type": "array", "items": {"type": "string"}}
    names = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}
    properties["attacks"] |= {"anyOf": [labels, names, NULL]}
    every = [option_properties(kind, name) for kind in kinds.values() for name in kind.names()]
    options = properties["options"] | mapping_of(union(every))
    known = object_of({**properties, "options": options}) | {
        "allOf": [
            case(key, name, {"properties": {"options": options_object(kind, name)}})
            for key, kind in kinds.items()
            for name in kind.names()
        ]
    }
    return unless_own(kinds, object_of(properties), known)


def _reference(name):
    return {"$ref": f"#/definitions/{name}"}
