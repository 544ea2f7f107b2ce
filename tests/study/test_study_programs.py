"""Programs of TorchScript in a study: asked only, and what needs more of a network is refused."""

import pytest
from test_study_relations import given_with

from miatlas.study import contents, exhibit_jobs, reading

ASK = {"merlin": {}, "label_only": {}, "long": {}, "lira_online": {}}  # targets for answers alone


@pytest.fixture
def given(tmp_path):
    """A target that is a program, beside shadow models of a declared recipe."""
    (tmp_path / "model.pt").touch()
    (tmp_path / "members.txt").touch()
    given = given_with(recipes__asked={"architecture": {"name": "torchscript"}})
    given["cohorts"]["target"] = {
        "population": "digits", "recipe": "asked", "weights": str(tmp_path / "model.pt"),
        "members": str(tmp_path / "members.txt"),
    }  # fmt: skip
    given["cohorts"]["beside"] = {
        "population": "digits", "recipe": "plain", "models": 8, "block": 4,
        "design": {"name": "balanced", "size_of": "target", "group": 4},
    }  # fmt: skip
    given["attacks"] |= ASK
    given["audits"] = {"m": {"target": "target", "shadow": "beside", "attacks": list(ASK)}}
    return given


def refused(given):
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z") as found:
        reading.read(given)
    return str(found.value)


def test_a_program_is_a_target_of_what_it_answers_also_asked_again(given):
    given["cohorts"]["again"] = {"models_of": "target", "queries": {"count": 2, "shift": 1}}
    given["audits"]["again"] = {"target": "again", "shadow": "beside", "attacks": ["lira_online"]}
    read = reading.read(given)
    assert "target" in contents.released(read)
    assert "target" not in contents.trained(read)
    assert exhibit_jobs.described(read, "target").startswith("1 model of recipe asked on digits")
    assert exhibit_jobs.described(read, "beside").startswith("8 models of recipe plain on digits")
    assert read["recipes"]["asked"]["architecture"] == {
        "name": "torchscript", "output": None, "answers": "logits",
    }  # fmt: skip


@pytest.mark.parametrize("output", [1, "logits"])
def test_an_output_is_named_by_place_or_key(given, output):
    given["recipes"]["asked"]["architecture"]["output"] = output
    assert reading.read(given)["recipes"]["asked"]["architecture"]["output"] == output
    given["recipes"]["asked"]["architecture"]["output"] = 1.5
    assert "recipes.asked.architecture (torchscript): option 'output' is 1.5" in refused(given)


def test_shadow_models_need_a_declared_recipe(given):
    given["cohorts"]["beside"]["recipe"] = "asked"
    assert refused(given) == (
        "cohorts.beside.recipe: programs (torchscript) are asked and not trained: name a recipe"
        " with the architecture and the epochs that its models are trained by"
    )


def test_a_program_takes_no_epochs(given):
    given["recipes"]["asked"]["epochs"] = 3
    assert refused(given) == (
        "recipes.asked.epochs: a program (torchscript) is asked and not trained: it takes no epochs"
    )


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        ("gradient_norm", "asks networks for gradients, and target models are programs"),
        ("amia", "asks networks for gradients, and target models are programs (torchscript)"),
        ("qmia", "trains a network by epochs, and the recipe asked does not: name a regressor"),
    ],
)
def test_what_asks_for_more_than_answers_is_refused_by_name(given, attack, said):
    given["attacks"][attack] = {}
    given["audits"]["m"]["attacks"] = [attack]
    given["cohorts"]["target"]["held_out"] = given["cohorts"]["beside"]["held_out"] = 0.2
    assert f"audits.m: attacks.{attack} {said}" in refused(given)
    if attack == "qmia":
        given["audits"]["m"]["regressor"] = "plain"
        reading.read(given)
