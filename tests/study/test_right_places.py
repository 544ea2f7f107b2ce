"""An option in the wrong place is refused with the place where it belongs, and is taken there."""

import re
from copy import deepcopy

import pytest

from miatlas.study import reading

STUDY = {
    "study": "mine",
    "populations": {"data": {"source": "npz", "path": "mine.npz"}},
    "recipes": {"plain": {"architecture": {"name": "mlp"}, "epochs": 2,
                          "optimizer": {"name": "sgd"}}},
    "cohorts": {
        "target": {"population": "data", "recipe": "plain", "weights": "model.pt"},
        "shadow": {"population": "data", "recipe": "plain", "models": 4,
                   "design": {"name": "balanced"}},
    },
    "attacks": {"loss": {}, "lira_online": {}},
    "audits": {"one": {"target": "target", "shadow": "shadow", "attacks": ["loss"]}},
    "exhibits": {"curves": {"title": "Curves", "figure": "roc", "audits": ["one"],
                            "attacks": ["loss"]}},
}  # fmt: skip


def said_with(place, value):
    """What is said of the study with a value at a dotted place; "" if it is taken."""
    study = deepcopy(STUDY)
    *outer, key = place.split(".")
    inner = study
    for name in outer:
        inner = inner.setdefault(name, {})
    inner[key] = value
    try:
        reading.read(study)
    except ValueError as error:
        return str(error)
    return ""


MISPLACED = {  # where an option stands, its value, and where it belongs
    "recipes.plain.weight_decay": (0.1, "recipes.plain.optimizer.weight_decay"),
    "recipes.plain.widths": ([8], "recipes.plain.architecture.widths"),
    "recipes.plain.epsilon": (2.0, "recipes.plain.privacy.epsilon"),
    "recipes.plain.optimizer.batch_size": (8, "recipes.plain.batch_size"),
    "recipes.plain.optimizer.widths": ([8], "recipes.plain.architecture.widths"),
    "recipes.plain.architecture.epochs": (3, "recipes.plain.epochs"),
    "recipes.plain.standardise": ("none", "populations.data.standardise"),
    "recipes.plain.layout": ("NHWC", "populations.data.layout"),
    "recipes.plain.models": (8, "cohorts.NAME.models"),
    "cohorts.shadow.group": (2, "cohorts.shadow.design.group"),
    "cohorts.shadow.count": (2, "cohorts.shadow.queries.count"),
    "cohorts.shadow.bounds.logits": ("all", "cohorts.shadow.queries.logits"),
    "cohorts.shadow.lr": (0.1, "recipes.plain.optimizer.lr"),
    "cohorts.target.batch_size": (8, "recipes.plain.batch_size"),
    "attacks.loss.targets": (2, "audits.one.targets"),
    "audits.one.variance": ("global", "attacks.NAME.variance"),
    "audits.one.at_chance": ("go_on", "cohorts.target.at_chance"),
    "exhibits.curves.floor": (0.001, "exhibits.curves.options.floor"),
    "epochs": (3, "recipes.plain.epochs"),
}


@pytest.mark.parametrize("place", MISPLACED)
def test_the_place_is_said_and_the_option_is_taken_there(place):
    value, right = MISPLACED[place]
    key = place.rpartition(".")[2]
    said = said_with(place, value)
    assert f"unknown option {key!r} (it belongs in {right}); allowed: " in said
    if "NAME" not in right:
        assert "unknown option" not in said_with(right, value)


AT_THE_TOP = ["recipes.plain.seed", "cohorts.shadow.memory_mb", "audits.one.tolerance"]


@pytest.mark.parametrize("place", AT_THE_TOP)
def test_an_option_of_the_whole_file_is_said_to_be_one(place):
    assert "(it belongs at the top of the file); allowed: " in said_with(place, 3)


MISSPELT = ["recipes.plain.epoch", "cohorts.shadow.blok", "sede",
            "recipes.plain.optimizer.weight_decai"]  # fmt: skip


@pytest.mark.parametrize("place", MISSPELT)
def test_a_misspelt_option_is_corrected_where_it_stands(place):
    said = said_with(place, 3)
    assert "(did you mean " in said
    assert "belongs" not in said


def test_an_option_of_a_plug_in_that_was_not_chosen_has_no_place():
    """sgd has a momentum, adam has none: no place is said that would refuse it again."""
    study = deepcopy(STUDY)
    study["recipes"]["plain"] |= {"optimizer": {"name": "adam"}, "momentum": 0.9}
    with pytest.raises(ValueError, match=r"plain: unknown option 'momentum'; allowed: "):
        reading.read(study)


def test_options_of_a_file_of_ones_own_are_known(tmp_path):
    file = tmp_path / "network.py"
    file.write_text("def build(shape, classes, *, depth: int = 2):\n    return None\n")
    study = deepcopy(STUDY)
    study["recipes"]["plain"] |= {"architecture": {"file": "network.py"}, "depth": 3}
    said = re.escape("unknown option 'depth' (it belongs in recipes.plain.architecture.depth)")
    with pytest.raises(ValueError, match=said):
        reading.read(study, [tmp_path])


@pytest.mark.parametrize("given", [None, 3, {"plain": 3}])
def test_sections_that_are_no_mappings_do_no_harm(given):
    study = deepcopy(STUDY) | {"recipes": given, "epochs": 3}
    with pytest.raises(ValueError, match=r"unknown option 'epochs'.*; allowed: "):
        reading.read(study)
