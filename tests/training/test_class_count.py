"""A network may have outputs for classes that no example has."""

import json

import accept_models
import numpy as np
import torch
import train_models
from torch import nn

from miatlas.running.store import read_weights, write_h5
from miatlas.signals.trained_models import load
from miatlas.training.inputs import class_count

NAMES = [str(name) for name in range(10)]
NETWORK = """
from torch import nn

def build(shape, classes):
    return nn.Linear(shape[0], classes)
"""


def population(folder):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 60) * 2  # 0, 2 and 4 of ten
    x = rng.normal(size=(60, 4)).astype(np.float32)
    x[:, 0] += labels
    arrays = {"x": x, "labels": labels, "mean": np.zeros(1), "deviation": np.ones(1)}
    facts = {"class_names": NAMES, "scale": 1.0, "population": "mine", "digest": "d"}
    write_h5(folder / "population.h5", arrays, facts)
    return x, labels


def test_names_count_and_labels_where_there_are_none():
    labels = np.array([0, 4, 2])
    assert class_count({"class_names": json.dumps(NAMES)}, labels) == 10
    assert class_count({"class_names": "[]"}, labels) == 5
    assert class_count({}, labels) == 5


def test_a_released_network_of_more_classes_than_have_examples_is_taken_over_and_asked(tmp_path):
    x, _labels = population(tmp_path)
    network = nn.Linear(4, 10)
    with torch.no_grad():  # right about two classes of three: 0 to 2 is 0, from 3 on it is 4
        network.weight.zero_()
        network.bias.fill_(-20)
        network.weight[4, 0], network.bias[4], network.bias[0] = 1, -2, 0
    torch.save(network.state_dict(), tmp_path / "model.pt")
    (tmp_path / "network.py").write_text(NETWORK)
    member = np.arange(60)[None] < 30
    write_h5(tmp_path / "membership.h5", {"member": member, "evaluated": np.ones_like(member)}, {})
    architecture = {"name": str(tmp_path / "network.py")}
    accept_models.main(
        population=str(tmp_path / "population.h5"),
        membership=str(tmp_path / "membership.h5"),
        released=[str(tmp_path / "model.pt")],
        weights=str(tmp_path / "weights.safetensors"),
        history=str(tmp_path / "history.csv"),
        settings={"cohort": "mine", "models": 1, "architecture": architecture, "at_chance": "stop"},
    )
    assert read_weights(tmp_path / "weights.safetensors")["network.weight"].shape == (1, 10, 4)
    settings = {"architecture": architecture, "engine": "auto"}
    group, inputs, *_ = load(
        str(tmp_path / "population.h5"), str(tmp_path / "weights.safetensors"), settings
    )
    answers = group.answer(inputs)[0]
    assert answers.shape == (60, 10)
    assert torch.allclose(answers, network(torch.from_numpy(x)), atol=1e-5)


def test_networks_that_are_trained_have_all_classes(tmp_path):
    population(tmp_path)
    write_h5(tmp_path / "roles.h5", {"role": np.zeros(60, np.uint8)}, {})
    _, shape, classes = train_models.load(
        str(tmp_path / "population.h5"), str(tmp_path / "roles.h5"), torch.device("cpu")
    )
    assert (shape, classes) == ((4,), 10)
