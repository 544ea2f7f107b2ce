"""Which exhibits of the papers the studies make: by the titles of their exhibits.

A title begins with what it is: "Fig. 7: ...", "Fig. 11a: ...", "Table I, its columns ...",
"Tables 3 and 4 ...", "Tables 2-6: ...".
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

TITLE = re.compile(r"(Fig\.|Tables?) (\w+?)([a-z])?(?:(-| and )(\w+))?(?=[ :,(]|$)")
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
SMALL = "_small"
DEMO = "config"


class Made(NamedTuple):
    """An exhibit of a study file: names of study and exhibit, what it stands for of a paper."""

    study: str
    name: str
    title: str
    paper: str
    stands_for: list[str]


def stands_for(title: str) -> list[str]:
    """Return the exhibits of a paper that a title names: "Fig. 7", "Table I"; none if it is no one.

    A letter behind the number is a part of the figure, and the figure's.
    """
    found = TITLE.match(title)
    if not found:
        return []
    kind, first, _, between, last = found.groups()
    kind = kind.removesuffix("s")
    if between == "-":
        return [f"{kind} {number}" for number in range(int(first), int(last) + 1)]
    known = [number for number in (first, last if between else None) if _is_number(number)]
    return [f"{kind} {number}" for number in known]


def _is_number(text: str | None) -> bool:
    return bool(text) and (text.isdigit() or text in ROMAN)


def made(studies: Mapping[str, Mapping]) -> list[Made]:
    """Return the exhibits of the papers in some studies: name of the file -> what it says, merged.

    A study on top of another has the other's exhibits too.
    """
    return [
        Made(study, name, entry["title"], entry["paper"], numbers)
        for study, config in studies.items()
        for name, entry in (config.get("exhibits") or {}).items()
        if entry and entry.get("paper") and (numbers := stands_for(entry["title"]))
    ]


def makers(all_made: Iterable[Made], paper: str, exhibit: str) -> dict[tuple[str, str], list[str]]:
    """Return which exhibits of studies stand for one of a paper: (name, title) -> studies."""
    found = {}
    for one in all_made:
        if one.paper == paper and exhibit in one.stands_for:
            found.setdefault((one.name, one.title), []).append(one.study)
    return found


def page(exhibits: list[dict], studies: Mapping[str, Mapping]) -> str:
    """Return the page: of each paper a table, a row for each of its exhibits.

    exhibits: lines with paper, exhibit, shows, note.
    """
    all_made, parts = made(studies), [HEAD]
    for paper in dict.fromkeys(line["paper"] for line in exhibits):
        own = [line for line in exhibits if line["paper"] == paper]
        rows = [_row(line, makers(all_made, paper, line["exhibit"])) for line in own]
        parts.append("\n".join([f"## {paper}\n", *COLUMNS, *rows]))
    return "\n\n".join(parts) + "\n"


def _row(line, found):
    full, small = ([], [])
    for (name, _), studies in found.items():
        at_scale = [study for study in studies if not is_small(study)]
        small += [(name, study) for study in studies if is_small(study)]
        full += [(name, study) for study in at_scale[:1]]  # others stand on top of it
    cells = [line["exhibit"], line["shows"], _said(full), _said(small), line["note"]]
    return f"| {' | '.join(cells)} |"


def is_small(study: str) -> bool:
    """Say whether a study is one for two cores."""
    return study == DEMO or study.endswith((SMALL, "_digits", "_adult"))


def _said(places):
    """Return the places, exhibits of one study together."""
    by_study = {}
    for name, study in places:
        by_study.setdefault(study, []).append(f"`{name}`")
    return "; ".join(f"{study}: {', '.join(names)}" for study, names in by_study.items()) or "–"


HEAD = """\
# Every figure and table of the papers

Made by `make schema` from the studies in `config/` and from `config/exhibits.csv`: whose figure or
table it is, and which exhibit of which study makes it. *At scale* is the study that describes the
paper's own settings; *small* are those for two cores, and `config` is the demo. How a study on top
of others is run stands in [Studies](studies.md). What is not made has a line that says why."""
COLUMNS = ["| | shows | at scale | small | note |", "| --- | --- | --- | --- | --- |"]
