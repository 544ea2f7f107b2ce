"""The table of where the time goes: every second counted once."""

import pandas as pd
import pytest

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.tables import time_split


def evidence(shadow="shadow"):
    """Two attacks of one audit; the stages of its cohorts stand beside either of them."""
    metrics = [
        {"audit": "a", "label": label, "target_cohort": "target", "shadow_cohort": shadow}
        for label in ("loss", "lira")
    ]
    stages = [
        ("target training", 10, 200.0, 900.0),
        ("shadow training", 20, 300.0, 950.0),
        ("queries", 30, 90.0, 700.0),
    ]
    if shadow == "target":
        stages[1:] = [("shadow training", *stages[0][1:]), ("queries", 10, 90.0, 700.0)]
    rows = []
    for label, seconds in (("loss", 4.0), ("lira", 6.0)):
        rows.append((label, "scoring", 0, seconds, 100 * seconds))
        rows += [(label, *stage) for stage in stages]
    columns = ["label", "stage", "models", "seconds", "max_rss_mb"]
    costs = pd.DataFrame(rows, columns=columns).assign(audit="a")
    return Evidence({"loss": "LOSS", "lira": "LiRA"}, metrics, costs=costs)


def test_every_second_is_counted_once():
    numbers, shown = time_split.tabulate(evidence())
    rows = numbers.set_index("stage")
    assert rows["seconds"].to_dict() == {
        "target training": 200, "shadow training": 300, "queries": 90, "scoring": 10, "total": 600,
    }  # fmt: skip
    assert rows.loc["shadow training", "seconds_each"] == 15
    assert rows.loc["queries", "share"] == pytest.approx(0.15)
    assert rows["max_rss_mb"].to_dict()["scoring"] == 600
    assert rows.loc["total", "max_rss_mb"] == 950
    assert shown["Time"].tolist() == ["3.3 min", "5.0 min", "90.0 s", "10.0 s", "10.0 min"]
    assert shown["A model"].tolist() == ["20.0 s", "15.0 s", "3.0 s", "–", "–"]
    assert shown["Share"].tolist() == ["33%", "50%", "15%", "2%", "100%"]
    assert "Audit" not in shown
    assert "one after the other" in shown.attrs["notes"][0]


def test_a_cohort_that_attacks_itself_was_trained_once():
    numbers, _ = time_split.tabulate(evidence(shadow="target"))
    assert numbers["stage"].tolist() == ["training", "queries", "scoring", "total"]
    assert numbers["seconds"].tolist() == [200, 90, 10, 300]


def test_audits_are_told_apart():
    one = evidence()
    both = pd.concat([one.costs, one.costs.assign(audit="b", seconds=1.0)])
    twice = Evidence(one.names, one.metrics, costs=both)
    numbers, shown = time_split.tabulate(twice, audit_names={"b": "B"})
    assert numbers.groupby("audit")["seconds"].max().to_dict() == {"a": 600, "b": 5}
    assert set(shown["Audit"]) == {"a", "B"}
