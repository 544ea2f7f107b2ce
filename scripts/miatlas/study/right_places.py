"""Where an option belongs that stands in the wrong place of a study.

Read only once something is refused: it looks at the options of every plug-in.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from miatlas.study import cohorts, plugins, recipes, sections
from miatlas.study.checking import Section, sections_of
from miatlas.study.complaints import meant

SECTIONS = {
    "population": (sections.Population,),
    "recipe": (recipes.Recipe,),
    "cohort": (cohorts.Cohort, cohorts.ReleasedCohort),
    "attack": (sections.Attack,),
    "audit": (sections.Audit,),
    "exhibit": (sections.Exhibit,),
}


def right_place(
    config: Mapping, kind: str | None, name: str | None, refused: str, key: str, allowed: list[str]
) -> str | None:
    """Return where a study takes a key ("in recipes.mine.epochs"), None if it is known nowhere.

    kind and name: of the entry in which it stands, None at the top; refused: its exact place there.
    One in the same entry comes first; one in others only if no `allowed` key is close to it.
    """
    entry = _mapping(_mapping(config.get(f"{kind}s")).get(name))
    own = _first(key, kind, f"{kind}s.{name}", entry) if kind else None
    if own and own != f"{refused}.{key}":
        return f"in {own}"
    if own or meant(key, allowed):
        return None
    if key in sections.Study.model_fields:
        return "at the top of the file"
    for other in SECTIONS:
        entries = _mapping(config.get(f"{other}s"))
        called = _named_by(entry, other, entries)
        found = _first(key, other, f"{other}s.{called or 'NAME'}", _mapping(entries.get(called)))
        if other != kind and found:
            return f"in {found}"
    return None


def _mapping(given):
    return given if isinstance(given, Mapping) else {}


def _named_by(entry, kind, entries):
    """Return the entry of a kind that is meant: the one that is named, or the only one."""
    named = entry.get("target" if kind == "cohort" else kind)
    if isinstance(named, str) and named in entries:
        return named
    return next(iter(entries)) if len(entries) == 1 else None


def _first(key, kind, where, entry):
    for section in _sections(kind, entry):
        for known, place in _options(section, entry, where):
            if known == key:
                return place
    return None


def _sections(kind, entry):
    """Return the sections that an entry may have: of a cohort, that of its sort."""
    if kind != "cohort" or not entry:
        return SECTIONS[kind]
    if entry.get("signals") is not None:
        return (cohorts.ExternalCohort,)
    return SECTIONS[kind][1:] if entry.get("weights") is not None else SECTIONS[kind][:1]


def _options(section: type[Section], given: Mapping, where: str) -> Iterator[tuple[str, str]]:
    """Yield every option that a section knows and its place, those inside of it included."""
    for key, field in section.model_fields.items():
        yield key, f"{where}.{key}"
        for part in sections_of(field.annotation):
            yield from _options(part, _mapping(given.get(key)), f"{where}.{key}")
    for key, field in section.model_fields.items():
        if kind := plugins.marked(field):
            place = _place_of_options(section, field, f"{where}.{key}", where)
            for name in _chosen(kind, key, field, given):
                yield from ((option, f"{place}.{option}") for option in kind.options(name))


def _place_of_options(section, field, inside, beside):
    """Options stand with the plug-in's name, or beside the key that names it."""
    if dict in (field.annotation, *getattr(field.annotation, "__args__", ())):
        return inside
    return f"{beside}.options" if "options" in section.model_fields else beside


def _chosen(kind, key, field, given):
    """Return the plug-in that an entry names, its default, or all where there is no entry."""
    named = given.get(key, field.default if given else None)
    if isinstance(named, Mapping):
        named = named.get("file") or named.get("name")
    if not given:
        return kind.names()
    with suppress(ValueError):
        return [kind.known(named, "")]
    return []
