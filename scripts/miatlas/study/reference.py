"""The reference of every key of a study, as Markdown, from where keys are declared."""

import json
import re

from miatlas.options import REQUIRED, docstring
from miatlas.study import cohorts, plugins, private_recipes, recipes, sections
from miatlas.study.checking import Section
from miatlas.study.json_keys import option_properties, properties_of
from miatlas.study.plugins import Functions, Modules

HEAD = """# The configuration

*Written by `make schema` out of the code; a test fails where it is stale.*

A study is one YAML file: `snakemake --configfile config/ye2022.yaml`. Without one, the demo
(`config.yaml`) runs. Several are read on top of each other, the later ones changing single keys of
the earlier; a key that is `null` is taken away. Every study here begins with `#
yaml-language-server: $schema=schema.json`: an editor with YAML support then completes and checks
it by `schema.json`, which comes from the same source as this page. What the schema cannot know
(that nothing is missing, that names exist, that cohorts fit together) is checked when Snakemake
starts, before anything runs.

Where a key holds a mapping with a `name`, such as `optimizer: {name: sgd, lr: 0.1}`, the other
keys are options of what the name stands for. Names of entries consist of letters, digits, `_` and
`-`; one that YAML reads as a number or as true or false (`2024`, `no`) is put in quotes. A path
may begin with `~`.
"""
SECTIONS = {  # heading, sections below it, kinds of plug-in whose options stand there
    "The file": ((sections.Study,), {}),
    "populations": (
        (sections.Population, sections.Canaries),
        {"Options of a source, beside those keys": plugins.SOURCES},
    ),
    "recipes": (
        (recipes.Recipe, private_recipes.Privacy),
        {
            "architecture": plugins.ARCHITECTURES,
            "optimizer": plugins.OPTIMIZERS,
            "schedule": plugins.SCHEDULES,
            "augmentation": plugins.AUGMENTATIONS,
        },
    ),
    "cohorts": (
        (cohorts.Cohort, cohorts.Queries, cohorts.Bounds, cohorts.Teacher,
         cohorts.AskedAgain, cohorts.ReleasedCohort, cohorts.ExternalCohort),
        {"design": plugins.DESIGNS, "probes": plugins.PROBES},
    ),
    "attacks": ((sections.Attack,), {"Options of an attack, beside those keys": plugins.ATTACKS}),
    "audits": ((sections.Audit, sections.Perturbation), {}),
    "exhibits": (
        (sections.Exhibit,),
        {"Options of a figure": plugins.FIGURES, "Options of a table": plugins.TABLES},
    ),
}  # fmt: skip


def reference() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for heading, (shapes, kinds) in SECTIONS.items():
        parts.append(f"## {heading}\n")
        first, *others = shapes
        parts += [_section(first), *(_section(each, _heading(each)) for each in others)]
        parts += [_plugins(title, kind) for title, kind in kinds.items()]
    return "\n".join(parts)


def _heading(section):
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", section.__name__).lower()
    return f"### {words}\n\n"


def _section(section: type[Section], heading=""):
    needed = {key for key, field in section.model_fields.items() if field.is_required()}
    table = _table(properties_of(section), needed)
    return f"{heading}{section.__doc__.strip()}\n\n{table}"


def _plugins(title, kind: Modules):
    parts = [f"### {title}\n"]
    for name in kind.names():
        options = kind.options(name)
        needed = {key for key, option in options.items() if option.default is REQUIRED}
        table = _table(option_properties(kind, name), needed) if options else ""
        parts.append(f"**{name}**{_about(kind, name)}\n\n{table}".rstrip() + "\n")
    return "\n".join(parts)


def _about(kind, name):
    """Return what a plug-in is: the first line of its module, or of the function it is."""
    if not isinstance(kind, Functions):
        first = docstring(kind.source(name)).partition("\n")[0]
        return ": " + first.removeprefix(f"{name}: ")
    if kind.function:  # one of the ways to call it
        return ""
    return ": " + docstring(kind.source(name), name).partition("\n")[0]


def _table(properties, needed):
    rows = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for key, schema in properties.items():
        default = "*needed*" if key in needed else _shown(schema.get("default"))
        meaning = schema.get("description", "").replace("|", "\\|")
        rows.append(f"| `{key}` | {value(schema)} | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def _shown(default):
    return "" if default is None else f"`{json.dumps(default)}`"


def value(schema: dict) -> str:
    """Say in words what a schema allows, null aside."""
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"] if each is not None)
    if "anyOf" in schema:
        return " or ".join(value(each) for each in schema["anyOf"] if each != {"type": "null"})
    if "$ref" in schema:
        return f"the keys of {schema['$ref'].rpartition('/')[2]}"
    kinds = schema.get("type", "any")
    kind = next(k for k in (kinds if isinstance(kinds, list) else [kinds]) if k != "null")
    if kind == "array":
        return f"list of: {value(schema.get('items', {}))}"
    if kind == "object" and "file" in schema.get("properties", {}):
        return "`file`: a Python file of one's own"
    if kind == "object" and "name" in schema.get("properties", {}):
        return f"`name`: {value(schema['properties']['name'])}"
    return WORDS[kind] + _limits(schema)


WORDS = {
    "string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`",
    "object": "mapping", "any": "anything",
}  # fmt: skip


def _limits(schema):
    if "minimum" in schema and "maximum" in schema:
        return f" in [{schema['minimum']}, {schema['maximum']}]"
    signs = {"exclusiveMinimum": ">", "minimum": "≥"}
    return "".join(f" {sign} {schema[key]}" for key, sign in signs.items() if key in schema)
