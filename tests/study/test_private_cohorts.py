"""What a study says of its private cohorts before anything runs."""

import pytest
import yaml
from projects import TINY, change

from miatlas.study import contents, exhibit_jobs, private_cohorts, reading

PRIVATE = {"clip": 1.0, "noise": 1.1, "delta": 1e-5}


def study(**changes):
    """Return the tiny study, with a private recipe for its first cohort, and what is changed."""
    given = yaml.safe_load(TINY)
    given["recipes"]["plain"]["privacy"] = dict(PRIVATE)
    for path, value in changes.items():
        change(given, path.replace("__", "."), value)
    return reading.read(given)


SIZES = {  # 200 examples, of which a half trains
    "half": ({}, 100),
    "held out": ({"cohorts__one__held_out": 0.1, "cohorts__one__test": 0.3}, 60),
    "canaries": ({"populations__digits__canaries": {"count": 50}}, 125),
    "all digits": ({"populations__digits__subset": None}, 898),
    "a size": ({"cohorts__one__design": {"name": "iid", "size": 70}}, 70),
    "at most the pool": ({"cohorts__one__design": {"name": "iid", "size_of": "two"}}, 200),
}


@pytest.mark.parametrize(("changes", "size"), SIZES.values(), ids=SIZES)
def test_a_delta_that_is_too_large_is_said_with_the_number_of_examples(changes, size):
    for delta, warned in ((1.001 / size, True), (1 / size, True), (0.999 / size, False)):
        read = study(**changes, recipes__plain__privacy__delta=delta)
        said = private_cohorts.warnings(read)
        assert len(said) == warned
        if warned:
            assert said[0].startswith("recipes.plain.privacy.delta is ")
            assert f"not below 1 / {size}, and models of the cohort one" in said[0]


def test_nothing_is_said_of_what_only_a_file_tells_or_of_no_privacy():
    assert private_cohorts.warnings(reading.read(yaml.safe_load(TINY))) == []
    own = {"source": "npz", "path": "mine.npz"}
    read = study(populations__digits=own, recipes__plain__privacy__delta=0.5)
    assert private_cohorts.warnings(read) == []
    words = {"source": "wikitext2"}
    assert private_cohorts.examples(
        study() | {"populations": {"digits": {"canaries": None, "subset": None} | words}},
        study()["cohorts"]["one"],
    ) is None  # fmt: skip


def test_refuted_epsilons_are_said_at_the_delta_that_is_claimed():
    read = study(recipes__plain__privacy__delta=1e-4)
    assert {name: audit["delta"] for name, audit in read["audits"].items()} == {
        "one": 1e-4, "two": 1e-5,
    }  # fmt: skip
    assert study(audits__one__delta=0.0)["audits"]["one"]["delta"] == 0.0


STUDENTS = {"population": "digits", "recipe": "faster", "design": {"name": "half", "group": 4},
            "models": 8}  # fmt: skip


@pytest.mark.parametrize("members_of", ["own", "teacher"])
def test_what_hides_members_is_the_training_of_those_who_saw_them(members_of):
    teacher = {"cohort": "one", "students": 1, "members_of": members_of}
    read = study(cohorts__students=STUDENTS | {"teacher": teacher})
    assert contents.private_by(read, "one") == "one"
    assert contents.private_by(read, "students") == {"own": None, "teacher": "one"}[members_of]
    private = study(
        recipes__plain__privacy=None, recipes__faster__privacy=PRIVATE,
        cohorts__students=STUDENTS | {"teacher": teacher},
    )  # fmt: skip
    assert (
        contents.private_by(private, "students") == {"own": "students", "teacher": None}[members_of]
    )


@pytest.mark.parametrize(
    ("privacy", "said"),
    [
        ({}, "recipe plain (DP-SGD, σ = 1.1, δ = 1e-05, clip 1) on digits"),
        ({"noise": None, "epsilon": 2.5}, "plain (DP-SGD, ε = 2.5, δ = 1e-05, clip 1) on"),
        ({"noise": 0.0, "clip": None}, "plain (DP-SGD, σ = 0, δ = 1e-05, clip none) on"),
    ],
)
def test_privacy_is_named_wherever_models_are_described(privacy, said):
    read = study(recipes__plain__privacy=PRIVATE | privacy)
    assert said in exhibit_jobs.described(read, "one")
    assert said in exhibit_jobs.exhibit_settings(read, "losses")["evidence"]
    assert said in exhibit_jobs.answer_settings(read)["audits"]["one"]["about"]
    assert said in exhibit_jobs.run_settings(read)["cohorts"]["one"]["what"]
    assert "DP-SGD" not in exhibit_jobs.described(read, "two")
    compared = study(recipes__plain__privacy=PRIVATE | privacy, audits__two__shadow="one")
    assert said in exhibit_jobs.answer_settings(compared)["audits"]["two"]["about"]
