"""The coverage of the intervals: the rule, the page, and a small grid measured anew."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import coverage  # noqa: E402
import coverage_page  # noqa: E402
from simulated import Lira, Normals  # noqa: E402


def kept():
    return coverage_page.read(ROOT / "benchmarks" / "coverage.json")


def cell(covered, printed, **place):
    rest = {"interval": "mean of targets", "quantity": "AUC", "targets": 3, "law": "l"}
    return {**rest, "examples": 300, "printed": printed, "covered": covered, **place}


def test_the_page_is_that_of_the_data():
    assert (ROOT / "docs" / "coverage.md").read_text() == coverage_page.render(kept())
    assert (ROOT / "benchmarks" / "coverage.json").stat().st_size < 350_000


def test_everything_printed_covers():
    said = {
        place: coverage_page.verdict(rows) for place, rows in coverage_page.lines(kept()["rows"])
    }
    assert len(said) >= 50
    assert "does not cover" not in said.values(), said


def test_the_grid_is_the_whole_one():
    rows = kept()["rows"]
    assert {row["law"] for row in rows} == {law.name for law in coverage.LAWS}
    assert {row["examples"] for row in rows} == set(coverage.TRIALS)
    assert {row["targets"] for row in rows} == {1, *coverage.TARGETS}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([cell(95, 100), cell(96, 100)], "covers"),
        ([cell(99, 100), cell(100, 100)], "cautious"),
        ([cell(920, 1000), cell(925, 1000)], "does not cover"),  # below 93 % together
        ([cell(1000, 1000), cell(850, 1000)], "does not cover"),  # surely below at one place
        ([cell(1000, 1000), cell(18, 20)], "cautious"),  # 20 trials cannot tell
        ([cell(95, 100), cell(0, 0)], "covers"),  # not printed there
    ],
)
def test_the_rule(rows, said):
    assert coverage_page.verdict(rows) == said


def test_the_laws_are_what_they_say():
    law, generator = Normals(1.0, spread=0.0), np.random.default_rng(0)
    scores, member, shifts = law.audit(law.examples(100_000, generator), 2, generator)
    assert (scores[0] >= 0.7)[member[0]].mean() == pytest.approx(law.tpr(1.0, 0.7), abs=0.01)
    assert (scores[0] >= 0.7)[~member[0]].mean() == pytest.approx(law.fpr(0.7), abs=0.01)
    assert law.tpr_at(shifts, 0.1) == pytest.approx(1 - norm.cdf(norm.isf(0.1) - 1.0))
    outside = ~member[0] & ~member[1]
    assert np.corrcoef(scores[:, outside])[0, 1] == pytest.approx(0.5, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("law", [Normals(2.0), Lira(models=8, name="LiRA, 8 models")])
def test_a_small_grid_measured_anew_covers(law, monkeypatch):
    monkeypatch.setattr(coverage, "LAWS", [law])
    rows = coverage.measure([law], {300: 100}, (3,))
    for place, cells in coverage_page.lines(rows):
        assert all(coverage_page.highest(row) >= 0.93 for row in cells), place
