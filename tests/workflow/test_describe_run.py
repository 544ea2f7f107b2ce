"""The page on what was run: every setting, completed; texts as written; with or without git."""

import re
from xml.etree import ElementTree

import describe_run
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

from miatlas.study import exhibit_jobs, jobs, reading


def page(study, folder) -> tuple[str, dict[str, pd.DataFrame]]:
    """The page of a study of which nothing has run, and its tables by their first column."""
    path = folder / "page.html"
    settings = jobs.canonical(exhibit_jobs.run_settings(reading.read(study)))
    describe_run.main(html=str(path), settings=settings)
    html = path.read_text(encoding="utf-8")
    tables = {}
    for text in re.findall(r"<table.*?</table>", html, flags=re.S):
        rows = ElementTree.fromstring(text).iter("tr")
        head, *rows = [[cell.text or "" for cell in row] for row in rows]
        tables[head[0]] = pd.DataFrame(rows, columns=head)
    return html, tables


def leaves(entry, before=()):
    """Every innermost setting with the keys that lead to it."""
    for key, value in entry.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*before, key))
        else:
            yield (*before, key), value


def test_every_hyperparameter_is_listed_defaults_included(study, tmp_path):
    study["recipes"]["unused"] = study["recipes"]["plain"] | {"epochs": 77}
    _, tables = page(study, tmp_path)
    table = tables["hyperparameter"].set_index("hyperparameter")
    assert list(table.columns) == ["faster", "plain"]
    for name in table.columns:
        settings = list(leaves(reading.read(study)["recipes"][name]))
        assert len(settings) > 15
        for keys, value in settings:
            shown = table.loc[".".join(keys), name]
            spelt = {"None": "null", "True": "true", "False": "false"}
            assert shown == spelt.get(str(value), str(value)), keys
    assert table.loc["optimizer.lr"].tolist() == ["0.2", "0.1"]


def test_what_an_estimator_leaves_to_its_library_is_listed_too(study, tmp_path):
    inner = {"estimator": {"SVC": {"C": 3.0}}, "cv": 2}
    recipes = {
        "plain": {"estimator": "RandomForestClassifier", "options": {"n_estimators": 7}},
        "faster": {"estimator": "CalibratedClassifierCV", "options": inner,
                   "before": [{"StandardScaler": {"with_mean": False}}]},
    }  # fmt: skip
    for name, own in recipes.items():
        study["recipes"][name] = {"architecture": {"name": "sklearn", **own}}
    _, tables = page(study, tmp_path)
    table = tables["hyperparameter"].set_index("hyperparameter")
    forest = RandomForestClassifier(n_estimators=7).get_params()
    for key, value in forest.items():
        shown = {"random_state": "the model's seed"}.get(key, describe_run.said(value))
        assert table.loc[f"architecture.options.{key}", "plain"] == shown
    svc = SVC(C=3.0).get_params()
    for key in ("C", "gamma", "kernel", "tol"):
        found = table.loc[f"architecture.options.estimator__{key}", "faster"]
        assert found == describe_run.said(svc[key])
    assert table.loc["architecture.options.estimator", "faster"] == "SVC"
    before = table["faster"][table.index.str.startswith("architecture.before.StandardScaler.")]
    assert before.to_dict() == {
        "architecture.before.StandardScaler.copy": "true",
        "architecture.before.StandardScaler.with_mean": "false",
        "architecture.before.StandardScaler.with_std": "true",
    }


@pytest.mark.parametrize(
    ("heading", "section"),
    [("population, as set", "populations"), ("cohort, as set", "cohorts")],
)
def test_every_setting_of_populations_and_cohorts_is_listed(study, tmp_path, heading, section):
    _, tables = page(study, tmp_path)
    shown = tables[heading].set_index(heading)["settings"]
    entries = jobs.canonical(reading.read(study))[section]
    assert set(shown.index) == set(entries)
    for name, entry in entries.items():
        for key, value in entry.items():
            assert value in (None, [], {}) or f"{key}: {describe_run.said(value)}" in shown[name]


def test_the_settings_of_every_exhibit_audit_and_attack_are_shown(study, tmp_path):
    _, tables = page(study, tmp_path)
    shown = tables["exhibit"].set_index("exhibit")["settings"]
    assert set(shown.index) == set(study["exhibits"])
    assert "figure: roc_linear_log" in shown["loss_curve"]
    assert '"audit_names": {"one": "First", "two": "Second"}' in shown["loss_curve"]
    assert 'attacks: ["loss", "lira_online"]' in shown["curves"]
    assert '"floor"' in shown["curves"]  # a default
    assert "variance" in tables["label"].set_index("label")["settings"]["lira_online"]
    assert "targets: 4" in tables["audit"].set_index("audit")["settings"]["one"]


def test_texts_appear_as_written(study, tmp_path):
    text = "<b>a & b</b> 'c' ü"
    study["exhibits"]["loss_curve"]["options"]["audit_names"]["two"] = text
    html, tables = page(study, tmp_path)
    assert "<b>" not in html
    assert text in tables["exhibit"].set_index("exhibit")["settings"]["loss_curve"]


def commit(tmp_path, monkeypatch, git):
    """The line on the version, where git is missing, broken, or there without a checkout."""
    if git == "no checkout":
        monkeypatch.setattr(describe_run, "__file__", str(tmp_path / "describe_run.py"))
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
    if git == "broken":
        (tmp_path / "git").write_text("#!/bin/sh\nexit 3\n")
        (tmp_path / "git").chmod(0o755)
    if git == "not to be run":
        (tmp_path / "git").write_text("")


@pytest.mark.parametrize("git", ["missing", "broken", "not to be run", "no checkout"])
def test_without_a_commit_the_page_says_so(study, tmp_path, monkeypatch, git):
    commit(tmp_path, monkeypatch, git)
    html, _ = page(study, tmp_path)
    assert "not a git checkout" in html
