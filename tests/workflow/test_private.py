"""A study with DP-SGD from end to end: what is claimed, what is refuted, and what exhibits say."""

import csv
import json
import re

import numpy as np
import pytest
import yaml
from projects import new_project

from miatlas.leakage.privacy import tpr_limit

pytestmark = pytest.mark.slow

STUDY = """
study: private
seed: 5
populations:
  digits: {source: digits, canaries: {count: 60, kind: mislabelled}}
recipes:
  open: &open
    architecture: {name: mlp, widths: [64]}
    epochs: 25
    batch_size: 64
    optimizer: {name: sgd, lr: 0.2, momentum: 0.9}
  private:
    <<: *open
    epochs: 4
    privacy: {clip: 1.0, epsilon: 2.0, delta: 0.0001}
  unbounded:
    <<: *open
    privacy: {clip: 1.0, noise: 0.0, delta: 0.0001}
cohorts:
  open: &cohort
    {population: digits, recipe: open, design: {name: half, group: 8}, models: 16, block: 16,
     test: 0.2}
  private: {<<: *cohort, recipe: private}
  unbounded: {<<: *cohort, recipe: unbounded}
attacks:
  loss: {}
  lira_online: {variance: global}
audits:
  open: &audit {target: open, targets: 8, attacks: [loss, lira_online], delta: 0.0001}
  private: {target: private, targets: 8, attacks: [loss, lira_online]}
  unbounded: {<<: *audit, target: unbounded, attacks: [lira_online]}
exhibits:
  epsilons: &shown
    {paper: P, title: T, table: epsilon, audits: [open, private, unbounded],
     attacks: [loss, lira_online]}
  defences: {<<: *shown, table: defences}
  price: {paper: P, title: T, figure: defences, audits: [open, private], attacks: [lira_online]}
  curves: {paper: P, title: T, figure: roc, audits: [open, private], attacks: [lira_online]}
"""
EPSILON, DELTA = 2.0, 1e-4
WAYS = ("rates", "gaussian", "one_run")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = new_project(tmp_path_factory.mktemp("private") / "miatlas", yaml.safe_load(STUDY))
    project.run()
    return project


def metrics(project, audit, label):
    path = project.results / f"audits/{audit}/{label}.metrics.json"
    return json.loads(path.read_text(encoding="utf-8"))


def rows(project, exhibit):
    with open(project.results / f"exhibits/private/{exhibit}.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def page(project, name):
    return (project.results / f"exhibits/private/{name}").read_text(encoding="utf-8")


def test_metrics_claim_what_the_targets_histories_say(finished):
    path = finished.results / "cohorts/private/models/0.history.csv"
    with open(path, encoding="utf-8") as file:
        last = {
            row["model"]: float(row["epsilon"]) for row in csv.DictReader(file) if row["epsilon"]
        }
    assert len(last) == 16
    claim = metrics(finished, "private", "loss")["claimed"]
    assert claim == {"epsilon": max(last[str(target)] for target in range(8)), "delta": DELTA}
    assert 0.99 * EPSILON < claim["epsilon"] <= EPSILON
    assert metrics(finished, "private", "loss")["epsilon"]["delta"] == DELTA
    unbounded = metrics(finished, "unbounded", "lira_online")["claimed"]
    assert unbounded == {"epsilon": None, "delta": DELTA}
    assert metrics(finished, "open", "loss")["claimed"] is None


def test_no_more_is_refuted_than_is_claimed_and_much_without_privacy(finished):
    told = rows(finished, "epsilons")
    assert len(told) == 10  # five audited attacks, on all examples and on canaries
    for row in told:
        refuted = [float(row[way]) for way in WAYS]
        assert float(row["delta"]) == DELTA
        if row["audit"] == "private":
            assert max(refuted) <= float(row["claimed"]) <= EPSILON
        if row["audit"] == "open":
            assert max(refuted) > EPSILON
    said = page(finished, "epsilons.md")
    assert "2.00 (δ = 0.0001)" in said
    assert "∞ (δ = 0.0001)" in said


@pytest.mark.parametrize("level", ["0.001", "0.01"])
def test_rates_of_an_attacker_stay_within_what_privacy_allows(finished, level):
    exceeded = {"open": [], "private": []}
    for row in rows(finished, "defences"):
        tpr, fpr = (float(row[f"tpr_at_{level}{end}"]) for end in ("", "_realised_fpr"))
        if row["audit"] in exceeded:
            exceeded[row["audit"]].append(tpr > tpr_limit(fpr, EPSILON, DELTA))
    assert len(exceeded["private"]) == len(exceeded["open"]) == 4
    assert not any(exceeded["private"])
    assert any(exceeded["open"])


def test_curves_show_what_privacy_allows_to_whom_it_is_claimed_of(finished):
    limits = [row for row in rows(finished, "curves") if not row["label"]]
    assert {row["audit"] for row in limits} == {"private"}
    claim = metrics(finished, "private", "lira_online")["claimed"]
    fpr, tpr = (np.array([float(row[key]) for row in limits]) for key in ("fpr", "tpr"))
    np.testing.assert_allclose(tpr, tpr_limit(fpr, **claim), rtol=1e-6)
    assert {row["audit"] for row in rows(finished, "price")} == {"open", "private"}


def test_pages_say_by_what_models_are_private(finished):
    provenance = page(finished, "provenance.html")
    assert re.search(r"ε = 2\.00 at δ = 0\.0001, clip 1, noise \d", provenance)
    assert "ε = ∞ at δ = 0.0001, clip 1, noise 0," in provenance
    assert "recipe private (DP-SGD, ε = 2, δ = 0.0001, clip 1)" in provenance
    assert "recipe private (DP-SGD, ε = 2, δ = 0.0001, clip 1)" in page(finished, "answer.html")


def test_another_epsilon_trains_the_private_models_anew_and_no_others(finished):
    finished.study["recipes"]["private"]["privacy"]["epsilon"] = 3.0
    plan = finished.plan()
    finished.study["recipes"]["private"]["privacy"]["epsilon"] = 2.0
    assert "cohorts/private/models/0.safetensors" in plan
    assert {name.split("/")[1] for name in plan if name.startswith(("cohorts", "audits"))} == {
        "private"
    }
    assert finished.plan() == set()


def test_a_delta_too_large_is_said_once_before_anything_runs(project):
    project.study["recipes"]["plain"]["privacy"] = {"clip": 1.0, "noise": 1.0, "delta": 0.01}
    said = project.run("results/populations/digits.h5").text
    warning = "miatlas: recipes.plain.privacy.delta is 0.01, not below 1 / 100, and models of"
    assert said.count(warning) == 1
    assert said.index(warning) < said.index("Building DAG of jobs")
