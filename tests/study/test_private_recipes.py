"""What a recipe with differential privacy cannot be: one line each, before anything runs."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml
from projects import TINY, change

from miatlas.options import constant
from miatlas.study import private_recipes, reading
from miatlas.study.plugins import ARCHITECTURES
from miatlas.training import accounting

SCRIPTS = Path(__file__).parents[2] / "scripts"
PRIVATE = {"clip": 1.0, "noise": 1.1, "delta": 1e-5}
WRONG = {
    "noise below zero": ({"noise": -0.1}, {}, "'noise' is -0.1, but it must not be negative"),
    "no clip": ({"clip": None}, {}, "privacy.clip: noise is in units of it"),
    "a clip of nothing": ({"clip": 0.0}, {}, "option 'clip' is 0.0, but it must be positive"),
    "no delta": ({"delta": None}, {}, "option 'delta' is required"),
    "delta one": ({"delta": 1.0}, {}, "option 'delta' is 1.0, but it must lie between 0 and 1"),
    "neither": ({"noise": None}, {}, "privacy: give either noise, or the epsilon"),
    "both": ({"epsilon": 1.0}, {}, "privacy: give either noise, or the epsilon"),
    "out of reach": ({"noise": None, "epsilon": 0.1}, {}, "privacy.epsilon: 0.1 is not reached"),
    "a key": ({"sigma": 1.0}, {}, "unknown option 'sigma'"),
    "clipped twice": ({}, {"gradient_clip": 1.0}, "gradient_clip: privacy.clip clips"),
    "mixed examples": ({}, {"mixup": 0.2}, "mixup: mixed examples have no"),
    "passes": (
        {}, {"augmentation": {"name": "alternating_mirror_shift"}}, "augmentation: alternating"
    ),
    "batch norms": ({}, {"architecture": {"name": "resnet"}}, "resnet has batch.*set norm: group"),
    "batch norms of VGG": (
        {}, {"architecture": {"name": "vgg16"}}, "vgg16 has batch norms.*batch_norm: false"
    ),
    "batch norms always": (
        {}, {"architecture": {"name": "densenet121"}}, "densenet121 has batch norms.*take another"
    ),
    "an estimator": (
        {}, {"architecture": {"name": "sklearn", "estimator": "SVC"}, "epochs": None},
        "sklearn trains itself",
    ),
}  # fmt: skip


def study(privacy=(), recipe=()):
    given = yaml.safe_load(TINY)
    change(given, "recipes.plain", given["recipes"]["plain"] | dict(recipe))
    change(given, "recipes.plain.privacy", PRIVATE | dict(privacy))
    return given


@pytest.mark.parametrize(("privacy", "recipe", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_one_line(privacy, recipe, said):
    with pytest.raises(ValueError, match=rf"\Arecipes\.plain.*{said}.*\Z"):
        reading.read(study(privacy, recipe))


@pytest.mark.parametrize(
    "privacy",
    [{}, {"noise": 0.0, "clip": None}, {"noise": None, "epsilon": 2.0, "accountant": "prv"}],
)
def test_what_is_right_is_completed(privacy):
    found = reading.read(study(privacy))["recipes"]["plain"]["privacy"]
    expected = {"clip": 1.0, "noise": 1.1, "epsilon": None, "delta": 1e-5, "accountant": "rdp"}
    assert found == expected | privacy


@pytest.mark.parametrize("delta", [1e-7, 1e-5, 1e-3])
@pytest.mark.parametrize("accountant", ["rdp", "prv"])
def test_the_least_epsilon_is_what_endless_noise_gives(delta, accountant):
    least = private_recipes.least_epsilon(delta, accountant)
    endless = accounting.epsilon(1e4, 0.01, 10, delta, accountant)
    assert endless == pytest.approx(least, rel=1e-3 if accountant == "rdp" else 0.2)
    assert endless <= 1.0001 * least
    noise = accounting.noise_for(1.05 * least, 0.01, 10, delta, accountant)
    assert accounting.epsilon(noise, 0.01, 10, delta, accountant) <= 1.05 * least
    if accountant == "rdp":
        with pytest.raises(ValueError, match="is not reached"):
            accounting.noise_for(0.999 * least, 0.01, 10, delta, accountant)


NETWORKS = [
    name for name in ARCHITECTURES.names() if name not in ("sklearn", "torchscript", "gpt2")
]


@pytest.mark.parametrize("name", NETWORKS)
def test_architectures_say_if_they_have_batch_norms(name):
    source, module = (
        ARCHITECTURES.source(name), import_module(f"miatlas.training.architectures.{name}")
    )  # fmt: skip
    said, options = constant(source, "BATCH_NORM"), ARCHITECTURES.options(name)
    with torch.device("meta"):
        assert has_batch_norms(module.build((3, 32, 32), 10)) == (said is not None)
        for key in said or {}:
            other = {"batch": "group", True: False}[options[key].default]
            assert not has_batch_norms(module.build((3, 32, 32), 10, **{key: other}))


def has_batch_norms(network):
    kinds = torch.nn.modules.batchnorm._BatchNorm
    return any(isinstance(module, kinds) for module in network.modules())


def test_checks_of_privacy_import_no_torch():
    code = (
        "import sys; from miatlas.study import reading; assert reading.read;"
        "assert not {'torch', 'opacus'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, check=True)
