"""Regressors: of which targets and laws they are, their recipe, and what cannot be regressed."""

import pytest
from test_study_relations import GIVEN, given_with

from miatlas.study import audit_jobs, contents, reading

REGRESSED = {"qmia": {}, "quantile": {"attack": "qmia", "law": "quantile"}}


def with_regressors(**changes):
    given = given_with(**changes)
    given["attacks"] |= REGRESSED
    given["audits"]["q"] = {"target": "one", "targets": 5, "attacks": ["qmia", "quantile", "loss"]}
    return given


def test_regressors_are_of_the_laws_that_are_asked_for_and_of_the_targets_alone():
    given = with_regressors()
    apart = {"target": "one", "shadow": "students", "targets": 2, "attacks": ["qmia"]}
    given["audits"]["apart"] = apart
    read = reading.read(given)
    assert contents.regressed(read, "q", "qmia", "shadow") == ["normal"]  # of one cohort: once
    assert contents.regressed(read, "q", "qmia", "target") == []
    assert contents.regressed(read, "q", "quantile", "shadow") == ["quantile"]
    assert contents.regressed(read, "q", "loss", "shadow") == []
    assert contents.regressed(read, "apart", "qmia", "target") == ["normal"]
    assert contents.regressed(read, "apart", "qmia", "shadow") == []
    assert contents.target_blocks(read, "q") == [0, 1]
    given["audits"]["q"]["targets"] = 4
    assert contents.target_blocks(reading.read(given), "q") == [0]


def test_a_regressors_recipe_is_the_targets_own_by_adam_or_the_one_that_is_named():
    smooth = {"label_smoothing": 0.1, "mixup": 0.5}
    given = with_regressors(recipes__plain={**GIVEN["recipes"]["plain"], **smooth})
    read = reading.read(given)
    found = audit_jobs.regression_settings(read, "q", "normal")
    assert found["recipe"]["optimizer"]["name"] == "adam"
    assert found["recipe"]["architecture"] == read["recipes"]["plain"]["architecture"]
    assert (found["recipe"]["label_smoothing"], found["recipe"]["mixup"]) == (0.0, None)
    assert found["recipe"]["early_stopping"] == found["recipe"]["epochs"] == 2
    assert (found["targets"], found["cohort"], found["law"]) == (5, "one", "normal")
    given["recipes"]["own"] = {"architecture": {"name": "mlp"}, "epochs": 7}
    given["audits"]["q"]["regressor"] = "own"
    found = audit_jobs.regression_settings(reading.read(given), "q", "normal")["recipe"]
    assert (found["epochs"], found["optimizer"]["name"]) == (7, "sgd")


def refused(given):
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z") as found:
        reading.read(given)
    return str(found.value)


def test_what_cannot_be_regressed_is_refused_by_the_attack():
    given = with_regressors()
    given["audits"]["q"]["regressor"] = "nobody"
    assert "audits.q.regressor: 'nobody' does not exist" in refused(given)
    given = with_regressors(cohorts__one={**GIVEN["cohorts"]["one"], "held_out": 0.0})
    given["audits"] = {"q": given["audits"]["q"]}
    given["cohorts"] = {"one": given["cohorts"]["one"]}
    assert "audits.q: attacks.qmia needs held-out examples" in refused(given)
    trees = {"architecture": {"name": "sklearn", "estimator": "random_forest"}}
    given = with_regressors(recipes__plain=trees)
    given["cohorts"] = {"one": given["cohorts"]["one"]}
    given["audits"] = {"q": given["audits"]["q"]}
    assert "attacks.qmia trains a network by epochs, and the recipe plain" in refused(given)
    given["recipes"]["own"] = {"architecture": {"name": "mlp"}, "epochs": 7}
    given["audits"]["q"]["regressor"] = "own"
    assert reading.read(given)["audits"]["q"]["regressor"] == "own"
    given["recipes"]["own"] = {"architecture": {"name": "gpt2"}, "epochs": 7}
    assert "attacks.qmia cannot train its regressor: recipe: gpt2 reads" in refused(given)
    given = with_regressors()
    given["audits"]["q"]["release"] = {"name": "label"}
    assert "attacks.qmia reads normal_regression" in refused(given)
