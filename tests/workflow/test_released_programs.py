"""A target whose code is not there: a program of TorchScript, audited as the network's file is."""

import json

import h5py
import numpy as np
import pytest
import torch
import yaml
from projects import new_project
from torch import nn

NETWORK = """
from torch import nn

def build(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, classes))
"""
STUDY = """
study: mine
seed: 3
populations:
  digits: {source: npz, path: data.npz, standardise: none}
recipes:
  mine:
    architecture: {file: network.py}
    epochs: 30
    batch_size: 20
    optimizer: {name: sgd, lr: 0.1}
cohorts:
  target: {population: digits, recipe: mine, weights: weights.pt, members: members.txt}
  shadow:
    population: digits
    recipe: mine
    design: {name: balanced, size_of: target, group: 4}
    models: 8
attacks:
  loss: {}
  merlin: {}
  lira_online: {variance: global}
audits:
  leakage: {target: target, shadow: shadow, attacks: [loss, merlin, lira_online]}
"""


def made(folder):
    """Train a network as a user would; save its weights, its program, and who its members are."""
    from sklearn.datasets import load_digits

    x, labels = load_digits(return_X_y=True)
    x, labels = (torch.from_numpy(array)[:400] for array in (x, labels))
    x = (x / 16).float().view(-1, 1, 8, 8)
    np.savez(folder / "data.npz", x=x.numpy(), labels=labels.numpy())
    members = np.sort(np.random.default_rng(1).permutation(400)[:100])
    torch.manual_seed(2)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x[members]), labels[members]).backward()
        optimizer.step()
    torch.save(network.state_dict(), folder / "weights.pt")
    torch.jit.trace(network.eval(), torch.ones(2, 1, 8, 8)).save(str(folder / "program.pt"))
    (folder / "members.txt").write_text("\n".join(map(str, members)))
    (folder / "network.py").write_text(NETWORK)


@pytest.fixture(scope="module")
def audits(tmp_path_factory):
    """The project, where the network's file and the program have been audited alike."""
    root = tmp_path_factory.mktemp("program")
    projects = []
    for name in ("file", "program"):
        project = new_project(root / name, yaml.safe_load(STUDY))
        made(project.root)
        if name == "program":
            project.study["recipes"]["asked"] = {"architecture": {"name": "torchscript"}}
            project.study["cohorts"]["target"] |= {"recipe": "asked", "weights": "program.pt"}
            project.write()
        project.run()
        projects.append(project)
    return projects


pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def read(project, file, name):
    with h5py.File(project.results / file) as opened:
        return opened[name][()]


def test_a_program_is_asked_as_the_network_of_the_file_is(audits):
    for name in ("phi", "logits"):
        one, other = (read(p, "cohorts/target/signals/0.h5", name) for p in audits)
        assert np.abs(one - other).max() < 1e-4 * np.abs(one).max()
    one, other = (read(p, "cohorts/shadow/signals/0.h5", "phi") for p in audits)
    assert np.array_equal(one, other)
    for label in ("loss", "lira_online"):
        one, other = (read(p, f"audits/leakage/{label}.h5", "scores") for p in audits)
        assert np.allclose(one, other, rtol=1e-3, atol=1e-3)


def test_both_pages_say_the_same(audits):
    one, other = (json.loads((p.results / "exhibits/mine/answer.json").read_text()) for p in audits)
    told = json.dumps(one["audits"]).replace("weights.pt", "program.pt")
    assert json.loads(told) == other["audits"]
    logs = [(p.results / "logs/accept_models/target/0.log").read_text() for p in audits]
    assert logs[0] == logs[1]
    assert logs[0].startswith("target: model 0 is right about 100.0% of its 100 members")


def test_the_run_s_page_says_what_the_target_is(audits):
    page = (audits[1].results / "exhibits/mine/provenance.html").read_text()
    assert "torchscript" in page


def test_another_program_asks_anew_and_keeps_the_shadow_models(audits):
    project = audits[1]
    program = torch.jit.load(project.root / "program.pt")
    with torch.no_grad():
        next(program.parameters()).add_(0.01)
    program.save(str(project.root / "program.pt"))
    said = project.run("--dry-run").text
    assert "accept_models" in said
    assert "query_models" in said
    assert "train_models" not in said
