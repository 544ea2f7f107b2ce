"""The ledgers of several studies on one page: the order, the counts, the cells, what is missing."""

import join_ledgers
import numpy as np
import pandas as pd
import pytest

from miatlas.exhibits import joined_ledgers

COLUMNS = (
    "table", "row", "column", "unit", "published", "spread", "reading", "measured", "low", "high",
    "targets", "models", "auxiliary_models", "training_examples", "population", "epochs",
    "architecture", "verdict", "direction", "chance", "reason",
)  # fmt: skip
NOTHING = dict.fromkeys(COLUMNS)


def entry(table, row, verdict, **given):
    own = {"table": table, "row": row, "column": "TPR", "unit": "%", "published": 2.0}
    return NOTHING | own | {"verdict": verdict, "reason": "", "reading": ""} | given


FOUND = {"measured": 2.5, "low": 1.5, "high": 3.25, "direction": "within the intervals"}


def ledgers():
    first = [
        entry("1", "a", "agrees", **FOUND, chance="two-sided", targets=5, training_examples=7978),
        entry("1", "a", "differs", **FOUND | {"direction": "higher"}, chance="two-sided",
              reading="code"),
        entry("1", "b", "not measured", reason="too dear"),
        entry("2", "c", "not measured", reason="its files"),
    ]  # fmt: skip
    second = [
        entry("1", "a", "not comparable at this scale", **FOUND),
        entry("1", "b", "undecided", **FOUND, chance="unknown"),
        entry("2", "c", "not measured", reason="no such data"),
    ]
    other = [entry("I", "x", "differs", **FOUND, chance="one-sided")]
    places = {("s", "p"): first, ("s_small", "p"): second, ("s_small", "q"): other}
    return {place: pd.DataFrame(rows) for place, rows in places.items()}


@pytest.fixture
def data():
    return joined_ledgers.joined(ledgers())


def test_what_was_measured_of_one_value_stands_together_in_the_order_of_the_first_ledger(data):
    order = list(zip(data["paper"], data["row"], data["study"], data["reading"], strict=True))
    assert order == [
        ("p", "a", "s", ""), ("p", "a", "s", "code"), ("p", "a", "s_small", ""),
        ("p", "b", "s", ""), ("p", "b", "s_small", ""), ("p", "c", "s", ""),
        ("p", "c", "s_small", ""), ("q", "x", "s_small", ""),
    ]  # fmt: skip


def test_counts_are_of_each_study_and_of_all(data):
    counted = joined_ledgers.counts(data).set_index(["Study", "Paper"])
    assert counted.loc[("s", "p"), ["Measured", "Agrees", "Differs"]].tolist() == [2, 1, 1]
    assert counted.loc[("s_small", "p"), ["Measured", "Undecided"]].tolist() == [2, 1]
    everything = counted.loc[("all", "")]
    assert everything[["Measured", "Agrees", "Differs", "Not measured"]].tolist() == [5, 1, 2, 3]
    known = ["Chance known", "of these differ", "would by chance"]
    assert everything[known].tolist() == [2, 1, "0.1"]  # the one-sided one is not among them


def test_at_the_paper_s_scale_comparisons_and_values_are_counted(data):
    assert joined_ledgers.at_scale(data) == (4, 3)  # a twice, b, x


def test_cells_have_value_interval_scale_and_verdict(data):
    shown = joined_ledgers.measured(data)
    assert len(shown) == 5
    assert shown.iloc[0].tolist() == [
        "p", "1", "a, TPR", "2.0 %", "2.5 % [1.5, 3.2]", "s", "5 targets, 7,978 examples",
        "agrees: within the intervals",
    ]  # fmt: skip
    assert shown.iloc[1][["Study", "Verdict"]].tolist() == ["s (code)", "differs: higher"]


@pytest.mark.parametrize(
    ("values", "unit", "said"),
    [
        ((0.5,), "%", "0.50 %"), ((0.0,), "%", "0.0 %"), ((97.25,), "%", "97.2 %"),
        ((0.5, 0.25, 0.75), "1", "0.500 [0.250, 0.750]"), ((1200.0,), "minutes", "1,200.0 minutes"),
        ((0.5, np.nan, np.nan), "1", "0.500"),
    ],
)  # fmt: skip
def test_values_are_written_in_the_unit_of_the_paper(values, unit, said):
    assert joined_ledgers.written(values, unit) == said


def test_what_no_study_measured_is_listed_with_every_reason(data):
    gone = joined_ledgers.not_measured(data)
    assert gone.to_numpy().tolist() == [["p", "2", 1, "its files; no such data"]]


def test_the_page_is_made_of_the_files_of_results(tmp_path):
    for (study, paper), table in ledgers().items():
        folder = tmp_path / study / "exhibits" / study
        folder.mkdir(parents=True, exist_ok=True)
        named = table.assign(paper=paper) if paper == "q" else table  # newer files say whose it is
        named.to_csv(folder / (f"{paper}_ledger.csv" if paper == "p" else "own.csv"), index=False)
        pd.DataFrame({"auc": [0.5]}).to_csv(folder / "auc.csv", index=False)  # no ledger
    page = tmp_path / "page.md"
    join_ledgers.main([str(tmp_path / "s"), str(tmp_path / "s_small")], page)
    text = page.read_text()
    assert text == joined_ledgers.page(joined_ledgers.joined(ledgers()))
    assert text.startswith("---\nhide: [toc]")  # the page is as wide as its tables
    assert "there are 4\ncomparisons of 3 values" in text
    assert "| 2 | 1 | its files; no such data |" in text
    with pytest.raises(ValueError, match="nothing: no ledger among"):
        join_ledgers.main([str(tmp_path / "nothing")], page)


def test_the_committed_page_says_what_its_own_rows_say():
    lines = join_ledgers.PAGE.read_text(encoding="utf-8").splitlines()
    assert "hide: [toc] # wide tables" in lines
    rows = [line for line in lines if " [" in line or "at this scale" in line]
    assert len(rows) > 100
    said = next(line for line in lines if line.startswith("| all |")).split(" | ")
    for place, verdict in ((3, "agrees"), (4, "differs")):
        assert int(said[place]) == sum(f"| {verdict}: " in line for line in lines)
