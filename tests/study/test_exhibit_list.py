"""The page of the papers' exhibits: all of them, each made by a study or with a line why not."""

import csv
import re
from pathlib import Path

import pytest
import write_schema

from miatlas.study import exhibit_list, study_files

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "exhibits.md").read_text(encoding="utf-8")
ROMAN = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII"]
PAPERS = {  # figures, tables: as the papers number them
    "carlini2022": (range(1, 25), ROMAN),
    "ye2022": (range(1, 6), range(1, 7)),
    "shi2024": (range(1, 15), range(1, 10)),
    "zhu2025": (range(1, 4), []),
}


def lines():
    with (ROOT / "config" / "exhibits.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def studies():
    return study_files.all_merged(ROOT / "config")


@pytest.mark.parametrize("paper", PAPERS)
def test_every_figure_and_table_of_a_paper_has_a_line(paper):
    figures, tables = PAPERS[paper]
    there = [line["exhibit"] for line in lines() if line["paper"] == paper]
    assert there == [f"Fig. {n}" for n in figures] + [f"Table {n}" for n in tables]
    assert {line["paper"] for line in lines()} == set(PAPERS)


def test_what_no_study_makes_has_a_line_that_says_why(studies):
    made = exhibit_list.made(studies)
    for line in lines():
        found = exhibit_list.makers(made, line["paper"], line["exhibit"])
        assert found or line["note"], f"{line['paper']}, {line['exhibit']}: made by nobody"


def test_every_exhibit_that_the_page_names_is_in_the_study_that_it_names(studies):
    rows = [row.split(" | ") for row in PAGE.splitlines() if row.startswith(("| Fig.", "| Table"))]
    assert len(rows) == sum(len(list(part)) for both in PAPERS.values() for part in both)
    named = 0
    for row in rows:
        for place in (part for cell in row[2:4] if cell != "–" for part in cell.split("; ")):
            study, names = place.split(": ", 1)
            for name in re.findall(r"`(\w+)`", names):
                entry = studies[study]["exhibits"][name]
                assert row[0].removeprefix("| ") in exhibit_list.stands_for(entry["title"])
                named += 1
    assert named > 100


def test_the_page_is_fresh():
    assert write_schema.exhibits() == PAGE, "docs/exhibits.md is stale: make schema"


@pytest.mark.parametrize(
    ("title", "exhibits"),
    [
        ("Fig. 7: overfitting", ["Fig. 7"]),
        ("Fig. 11a: another architecture", ["Fig. 11"]),
        ("Fig. 14 (a): clipped", ["Fig. 14"]),
        ("Fig. 3, experiment: a trend", ["Fig. 3"]),
        ("Table IV: accuracy", ["Table IV"]),
        ("Table I, its columns on WikiText-103", ["Table I"]),
        ("Table I with WikiText-2", ["Table I"]),
        ("Table VIII with Adult", ["Table VIII"]),
        ("Tables 3 and 4 on CINIC-10", ["Table 3", "Table 4"]),
        ("Tables 2-6: thresholds", ["Table 2", "Table 3", "Table 4", "Table 5", "Table 6"]),
        ("§VII-B: attacks on canaries", []),
        ("Tables of numbers", []),
        ("Accuracy and leakage", []),
    ],
)
def test_a_title_says_which_exhibit_it_is(title, exhibits):
    assert exhibit_list.stands_for(title) == exhibits


def test_at_scale_the_first_study_is_named_or_one_with_another_title_and_all_small_ones():
    entry = {"paper": "p", "title": "Fig. 1: x"}
    other = {"exhibits": {"a": entry | {"title": "Fig. 1 on texts"}}}
    whole = {"exhibits": {"a": entry, "gone": None, "own": {"title": "Fig. 1: x"}}}
    page = exhibit_list.page(
        [{"paper": "p", "exhibit": "Fig. 1", "shows": "x", "note": ""}],
        {"s": whole, "s_more": whole, "s_text": other, "s_small": whole},
    )
    assert "| Fig. 1 | x | s: `a`; s_text: `a` | s_small: `a` |  |" in page


def test_files_of_a_study_are_those_that_it_says_or_that_its_name_begins_with(tmp_path):
    for name in ("base", "base_more", "base_more_small", "other", "alone_more"):
        (tmp_path / f"{name}.yaml").write_text("a: 1\n")
    (tmp_path / "other_small.yaml").write_text(
        '#   make STUDY="config/base.yaml config/other_small.yaml" DATA_ROOT=x\na: {b: 2}\n'
    )
    (tmp_path / "base.yaml").write_text("a: {c: 1}\n")

    def names(study):
        return [file.stem for file in study_files.files(tmp_path, study)]

    assert names("base_more_small") == ["base", "base_more", "base_more_small"]
    assert names("alone_more") == ["alone_more"]
    assert names("other_small") == ["base", "other_small"]
    assert study_files.merged(tmp_path, "other_small") == {"a": {"b": 2, "c": 1}}
