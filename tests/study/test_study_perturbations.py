"""Perturbed points: by which references they are found, what they depend on, what has none."""

import pytest
from test_study_relations import GIVEN, given_with

from miatlas.study import audit_jobs, contents, reading


def moved(**changes):
    given = given_with(**changes)
    given["attacks"] |= {"amia": {}, "e_amia": {}, "few": {"attack": "amia", "references": 4}}
    given["audits"] = {"m": {"target": "one", "targets": 2, "attacks": ["amia", "e_amia", "few"]}}
    return given


def test_attacks_by_the_same_references_share_their_points():
    read = reading.read(moved())
    assert contents.perturbed(read, "m", "amia") == contents.perturbed(read, "m", "e_amia")
    assert contents.perturbed(read, "m", "amia") == ["all"]
    assert contents.perturbed(read, "m", "few") == ["4"]
    assert contents.perturbed(read, "m", "loss") == []
    all_of_them, few = (audit_jobs.perturbation_settings(read, "m", of) for of in ("all", "4"))
    assert (all_of_them["references"], few["references"]) == (None, 4)
    assert all_of_them["perturbation"] == {"radius": 0.1, "steps": 10}


def test_points_and_scores_compare_a_target_with_the_same_models():
    read = reading.read(moved())
    points = audit_jobs.perturbation_settings(read, "m", "4")
    scores = audit_jobs.score_settings(read, "m", "few")
    for key in ("seed", "targets", "design", "group", "per_target", "leave_one_out", "references"):
        assert points[key] == scores[key]


def refused(given):
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z") as found:
        reading.read(given)
    return str(found.value)


def test_what_cannot_be_moved_is_refused():
    trees = {"architecture": {"name": "sklearn", "estimator": "random_forest"}}
    given = moved(recipes__plain=trees)
    given["cohorts"] = {"one": given["cohorts"]["one"]}
    assert "attacks.amia asks networks for gradients, and target models are" in refused(given)
    given = moved()
    given["audits"]["m"]["target"] = "mine"
    assert "attacks.amia asks models about points of its own" in refused(given)
    given = moved()
    given["audits"]["m"]["release"] = {"name": "label"}
    assert "attacks.amia reads perturbed" in refused(given)
    given = moved()
    given["audits"]["m"]["perturbation"] = {"radius": 0}
    assert "audits.m.perturbation: option 'radius' is 0" in refused(given)
    assert GIVEN["audits"]  # untouched


def test_a_single_targets_thresholds_have_no_stand_ins():
    given = moved()
    given["audits"]["m"] |= {"target": "one", "shadow": "students", "targets": 1}
    given["cohorts"]["students"] |= {"teacher": None}
    said = audit_jobs.score_settings(reading.read(given), "m", "amia")["stand_ins"]["not"]
    assert "finds perturbed points for the target alone" in said
