"""Tried as a new user would: an own network, a plain training script's checkpoint, fine-tuning."""

import os

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from projects import new_project
from safetensors.numpy import load_file
from torch import nn
from torchvision.models import resnet18

pytestmark = pytest.mark.slow  # a minute each: models are trained, asked and attacked

STUDY = """
study: mine
populations: {mine: {}}
recipes:
  mine: {architecture: {file: network.py}, epochs: 5, batch_size: 32, optimizer: {name: adam}}
cohorts:
  target: {population: mine, recipe: mine, weights: model.pt}
  shadow: {population: mine, recipe: mine, models: 8, block: 8,
           design: {name: balanced, size_of: target, group: 8}}
attacks: {loss: {}, lira_online: {variance: global}}
audits:
  mine: {target: target, shadow: shadow, attacks: [loss, lira_online]}
exhibits: {}
"""
METRICS = [f"results/audits/mine/{label}.metrics.json" for label in ("loss", "lira_online")]


@pytest.fixture
def project(tmp_path):
    return new_project(tmp_path / "fresh", yaml.safe_load(STUDY))


def trained(network, x, y, epochs, rate=0.01):
    """A plain training loop, as in any tutorial."""
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimizer.step()
    return network.eval()


def accuracy(network, x, y):
    with torch.no_grad():
        return float((network(x).argmax(1) == y).float().mean())


def log(project):
    return (project.results / "logs/accept_models/target/0.log").read_text()


def members(project):
    with h5py.File(project.results / "audits/mine/lira_online.h5") as file:
        assert np.isfinite(file["scores"][file["evaluated"][()].astype(bool)]).all()
        return file["member"][0].astype(bool)


MLP = """
from torch import nn

def build(shape, classes):
    return nn.Sequential(
        nn.Linear(shape[0], 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, classes)
    )
"""


def test_an_mlp_of_ones_own_on_a_table_of_people(project):
    """A table like Adult: numbers, words, a label in words, and the members as a column."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({
        "age": rng.integers(17, 90, 300),
        "work": rng.choice(["private", "state", "none"], 300),
        "hours": rng.integers(1, 99, 300),
    })  # fmt: skip
    rich = frame["age"] + frame["hours"] + rng.normal(0, 20, 300) > 110
    frame["income"] = np.where(rich, ">50K", "<=50K")
    member = rng.random(300) < 0.4
    frame.assign(member=member.astype(int)).to_csv(project.root / "people.csv", index=False)

    words = [frame["work"] == word for word in ("none", "private", "state")]
    columns = [frame["age"], frame["hours"], *words]  # numbers come first
    x = np.column_stack([np.asarray(column, np.float32) for column in columns])
    x[:, :2] = (x[:, :2] - 50) / 20
    x, y = torch.from_numpy(x), torch.from_numpy(rich.to_numpy().astype(int))
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 2))
    trained(network, x[member], y[member], 60)
    torch.save(network.state_dict(), project.root / "model.pt")
    (project.root / "network.py").write_text(MLP)

    project.study["populations"]["mine"] = {
        "source": "table", "path": "people.csv", "label": "income", "member": "member",
        "mean": [50.0, 50.0, 0.0, 0.0, 0.0], "deviation": [20.0, 20.0, 1.0, 1.0, 1.0],
    }  # fmt: skip
    project.run(*METRICS)
    assert np.array_equal(members(project), member)
    right = accuracy(network, x[member], y[member])
    assert f"is right about {right:.1%} of its {member.sum()} members" in log(project)


RESNET = """
from torchvision.models import resnet18

def build(shape, classes):
    return resnet18(num_classes=classes)
"""


def test_a_resnet_that_a_plain_script_has_trained(project):
    """Members and non-members are two files of pictures; the checkpoint is of DataParallel."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (96, 3, 32, 32), np.uint8)
    y = rng.integers(0, 3, 96)
    x[np.arange(96), y] //= 4  # a class is the channel that is dark
    for name, rows in (("in", slice(0, 48)), ("out", slice(48, 96))):
        np.savez(project.root / f"{name}.npz", x=x[rows], labels=y[rows])
    pixels, labels = (torch.from_numpy(x / 255).float() - 0.5) / 0.25, torch.from_numpy(y)
    torch.manual_seed(1)
    network = trained(resnet18(num_classes=3), pixels[:48], labels[:48], 4, 0.001)
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"epoch": 4, "state_dict": state, "acc": 0.5}, project.root / "model.pt")
    (project.root / "network.py").write_text(RESNET)

    project.study["populations"]["mine"] = {
        "source": "npz", "path": "in.npz", "nonmembers": "out.npz", "mean": [0.5] * 3,
        "deviation": [0.25] * 3,
    }  # fmt: skip
    project.study["cohorts"]["target"]["at_chance"] = "go_on"
    project.study["recipes"]["mine"]["epochs"] = 1
    project.run(*METRICS)
    assert np.array_equal(members(project), np.arange(96) < 48)
    right = accuracy(network, pixels[:48], labels[:48])
    assert f"is right about {right:.1%} of its 48 members" in log(project)


SMALL = """
from torch import nn

def build(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 24), nn.Tanh(), nn.Linear(24, classes))
"""


def small(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 24), nn.Tanh(), nn.Linear(24, classes))


def test_shadow_models_are_fine_tuned_as_the_target_was(project):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 16)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
    np.savez(project.root / "mine.npz", x=x, labels=y, member=np.arange(200) < 80)
    torch.manual_seed(1)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    base = trained(small(8), torch.randn(200, 16), torch.randint(0, 8, (200,)), 5)
    torch.save(base.state_dict(), project.root / "base.pt")
    tuned = small(3)
    begin = {name: tensor for name, tensor in base.state_dict().items() if name[0] == "1"}
    tuned.load_state_dict(begin, strict=False)
    trained(tuned, inputs[:80], labels[:80], 20)
    torch.save(tuned.state_dict(), project.root / "model.pt")
    (project.root / "network.py").write_text(SMALL)

    project.study["populations"]["mine"] = {
        "source": "npz", "path": "mine.npz", "standardise": "none"
    }  # fmt: skip
    recipe = project.study["recipes"]["mine"]
    recipe |= {"pretrained": "base.pt", "epochs": 1, "optimizer": {"name": "sgd", "lr": 1e-6}}
    project.run(*METRICS)
    weights = load_file(project.results / "cohorts/shadow/models/0.safetensors")
    first, head = weights["network.1.weight"], weights["network.3.weight"]
    assert np.abs(first - base.state_dict()["1.weight"].numpy()).max() < 1e-4
    assert head.shape == (8, 3, 24)
    assert np.abs(head[0] - head[1]).max() > 0.01  # each has a head of its own

    made = "cohorts/shadow/models/0.safetensors"
    assert not project.plan(*METRICS)
    other = {name: tensor + 1 for name, tensor in base.state_dict().items()}
    torch.save(other, project.root / "base.pt")  # another file of the same name
    os.utime(project.root / "base.pt", (1, 1))
    assert made in project.plan(*METRICS)
    torch.save({n: t for n, t in other.items() if n != "1.bias"}, project.root / "base.pt")
    assert "base.pt: not of this network: missing 1.bias" in project.fail(*METRICS).text
    recipe["pretrained"] = "absent.pt"
    said = project.fail("--dry-run").text
    assert "recipes.mine.pretrained: there is no file absent.pt" in said
    recipe |= {"pretrained": "base.pt", "epochs": None}
    assert "recipes.mine.pretrained: for networks that are trained" in project.fail("-n").text
