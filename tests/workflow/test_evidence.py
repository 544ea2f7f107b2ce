"""Exhibits of bounds, costs and published values: made from their files, and from no others."""

import csv

import pytest


def with_exhibits(project):
    """Add exhibits of every kind of evidence that the tiny study has not."""
    project.study["attacks"]["lira_tlc"] = {}
    project.study["audits"]["one"]["attacks"].append("lira_tlc")
    own = {"paper": "P", "title": "T", "audits": ["one"]}
    ledger = {"published": "carlini2022", "tables": ["I"],
              "rows": [{"attack": "loss", "dataset": "cifar10", "audit": "one"}]}  # fmt: skip
    project.study["exhibits"] = {
        "limits": own | {"table": "uncertainty", "attacks": ["lira_tlc"], "cohorts": ["one"]},
        "costs": own | {"table": "attack_costs", "attacks": ["loss", "lira_online"]},
        "ledger": own | {"table": "ledger", "attacks": ["loss"], "options": ledger},
        "uses": own | {"table": "attacks_compared", "attacks": ["loss", "lira_online"]},
    }
    return project


def rows(project, name):
    with open(project.results / f"exhibits/tiny/{name}.csv") as file:
        return list(csv.DictReader(file))


def html(*names):
    return {f"exhibits/tiny/{name}.html" for name in names}


@pytest.mark.slow
def test_exhibits_of_every_kind_are_made_and_rerun_with_what_they_read(done):
    project = with_exhibits(done)
    project.run()

    limits = rows(project, "limits")
    assert [row["cohort"] for row in limits] == ["one"]
    assert 0 < float(limits[0]["tlc_bound"]) <= 1
    assert {row["label"] for row in rows(project, "costs")} == {"loss", "lira_online"}
    verdicts = {row["verdict"] for row in rows(project, "ledger")}
    assert verdicts == {"not comparable at this scale", "not measured"}
    assert len(rows(project, "uses")) == 2
    assert project.plan() == set()

    project.study["cohorts"]["one"]["bounds"] = {"threshold": 0.3}
    assert project.plan() == {"bounds/one.csv"} | html("limits", "provenance")
    del project.study["cohorts"]["one"]["bounds"]

    published = project.root / "config/published/carlini2022.csv"
    published.write_text(published.read_text().replace(",8.4,%", ",8.5,%"))
    assert project.plan() == html("ledger")
    published.write_text(published.read_text().replace(",8.5,%", ",8.4,%"))

    # a table that tells what an attack's code uses depends on that code
    project.edit("miatlas/attacks/loss.py", "return -loss_from", "return -1.0 * loss_from")
    scored = {f"audits/{a}/loss.{end}" for a in ("one", "two") for end in ("h5", "metrics.json")}
    assert project.plan() == scored | html("costs", "ledger", "uses", "answer")
