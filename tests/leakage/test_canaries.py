"""Canaries have metrics of their own, beside those of all examples."""

import json

import measure_leakage
import numpy as np
import pytest
import score_attack
from scipy.special import softmax

from miatlas.leakage import metrics
from miatlas.running.store import read_h5, write_h5

TARGETS, EXAMPLES = 3, 400


def filed(folder, canary, member=None, design="half", students=False):
    """Write scores in which canaries are found more easily, and return what is measured."""
    draws = np.random.default_rng(1)
    member = draws.random((TARGETS, EXAMPLES)) < 0.5 if member is None else member
    scores = draws.normal(size=member.shape) + member * (1 + 3 * canary)
    arrays = {"scores": scores, "member": member, "evaluated": np.ones_like(member),
              "targets": np.arange(TARGETS)}  # fmt: skip
    said = {
        "attack": "loss",
        "options": {},
        "references": None,
        "design": design,
        "leave_one_out": students,
    }
    said |= {f"{side}_cohort": "c" for side in ("target", "shadow", "reference")}
    given = {"canary": canary} if canary.any() else {}
    facts = {"settings": said, "models": 4, "at_chance": []}
    write_h5(folder / "s.h5", arrays | given, facts)
    measure_leakage.main(
        scores=folder / "s.h5", metrics=folder / "m.json", curves=folder / "c.csv",
        settings={"audit": "a", "label": "loss", "delta": 1e-5},
    )  # fmt: skip
    return arrays, json.loads((folder / "m.json").read_text())


def test_canaries_are_measured_among_themselves(tmp_path):
    canary = np.arange(EXAMPLES) % 4 == 1
    arrays, result = filed(tmp_path, canary)
    alone = {n: a[:, canary] if a.ndim == 2 else a for n, a in arrays.items()}
    wanted = metrics.evaluate(**alone)
    found = result["canaries"]
    assert found["examples"] == 100
    assert {key: found[key] for key in wanted} == json.loads(json.dumps(wanted))
    assert result["mean"] == json.loads(json.dumps(metrics.evaluate(**arrays)["mean"]))
    assert found["mean"]["auc"]["mean"] > result["mean"]["auc"]["mean"] + 0.05
    assert found["epsilon"]["one_run"]["targets"][0]["examples"] == 100


def test_without_canaries_nothing_is_said_of_them(tmp_path):
    assert "canaries" not in filed(tmp_path, np.zeros(EXAMPLES, bool))[1]


def test_one_run_speaks_of_models_that_are_asked_about_all_that_coins_decided(tmp_path):
    """Students are asked about all of their teachers' members, and about some of the others."""
    nobody = np.zeros(EXAMPLES, bool)
    for students, design, told in (
        (False, "half", True),
        (True, "half", False),
        (False, "iid", False),
    ):
        found = filed(tmp_path, nobody, design=design, students=students)[1]["epsilon"]
        assert (found["one_run"] is not None) == told
        assert found["rates"]["epsilon"] > 0
        assert told or "coin each" in found["not"]["one_run"]


def test_canaries_all_of_whom_a_target_knows_are_not_measured(tmp_path):
    canary = np.arange(EXAMPLES) < 5
    member = np.arange(TARGETS * EXAMPLES).reshape(TARGETS, EXAMPLES) % 2 == 0
    member[1, canary] = True
    result = filed(tmp_path, canary, member)[1]
    assert result["canaries"] is None
    assert (
        "target 1: among the 5 evaluated examples there are no non-members" in result["no_canaries"]
    )


def test_of_a_single_target_its_stand_ins_are_asked_about_canaries_too(tmp_path):
    draws = np.random.default_rng(3)
    canary = np.arange(EXAMPLES) % 2 == 1
    member = draws.random((6, EXAMPLES)) < 0.5
    scores = draws.normal(size=member.shape) + member * (1 + 3 * canary)
    arrays = {"scores": scores, "member": member, "evaluated": np.ones_like(member)}
    own = {n: a[:1] for n, a in arrays.items()} | {"targets": np.arange(1)}
    beside = {f"stand_in_{n}": a[1:] for n, a in arrays.items()}
    said = {
        "attack": "loss",
        "options": {},
        "references": None,
        "design": "iid",
        "leave_one_out": False,
    }
    said |= {f"{side}_cohort": "c" for side in ("target", "shadow", "reference")}
    facts = {"settings": said, "models": 5, "at_chance": []}
    write_h5(tmp_path / "s.h5", own | beside | {"canary": canary}, facts)
    measure_leakage.main(
        scores=tmp_path / "s.h5", metrics=tmp_path / "m.json", curves=tmp_path / "c.csv",
        settings={"audit": "a", "label": "loss", "delta": 1e-5},
    )  # fmt: skip
    result = json.loads((tmp_path / "m.json").read_text())
    assert result["canaries"]["thresholds_from"]["nonmembers"] == (~member[1:, canary]).sum()
    assert result["canaries"]["epsilon"]["one_run"] is None


@pytest.mark.parametrize("there", [True, False])
def test_who_is_a_canary_travels_from_signals_to_scores(tmp_path, there):
    draws = np.random.default_rng(0)
    canary = (np.arange(60) < 10) & there
    z = draws.normal(size=(8, 60, 1, 3))
    labels = np.arange(60) % 3
    p = np.take_along_axis(softmax(z, -1), labels[None, :, None, None], 3)[..., 0]
    arrays = {"member": draws.random((8, 60)) < 0.5, "labels": labels, "logits": z[:, :, 0],
              "phi": np.log(p) - np.log1p(-p)}  # fmt: skip
    write_h5(tmp_path / "x.h5", arrays | ({"canary": canary} if there else {}), {})
    settings = {
        "attack": "loss", "options": {"queries": 1}, "label": "loss", "target_cohort": "c",
        "shadow_cohort": "c", "reference_cohort": None, "design": "half", "targets": 2, "seed": 0,
        "references": None, "per_target": {}, "leave_one_out": False, "group": None,
    }  # fmt: skip
    answers = {"target": [tmp_path / "x.h5"], "shadow": [tmp_path / "x.h5"], "reference": []}
    answers |= {f"{side}_probes": [] for side in list(answers)}
    score_attack.main(answers=answers, scores=tmp_path / "s.h5", settings=settings)
    found = read_h5(tmp_path / "s.h5")
    assert ("canary" in found) == there
    assert not there or np.array_equal(found["canary"], canary)
