"""Models that no optimiser of the workflow trains: estimators, and a user's own `train`."""

import h5py
import numpy as np
import pytest
import yaml
from projects import new_project
from safetensors.numpy import load_file

FOREST = """
study: mine
populations:
  digits: {source: digits, subset: 300}
recipes:
  forest: {architecture: {name: sklearn, estimator: RandomForestClassifier,
                          options: {n_estimators: 10}}}
cohorts:
  trained: {population: digits, recipe: forest, design: {name: iid, size: 80}, models: 1}
  shadow: {population: digits, recipe: forest, models: 8, block: 4,
           design: {name: balanced, size_of: trained, group: 4}}
attacks: {loss: {}, lira_online: {variance: global}}
audits:
  trained: {target: trained, shadow: shadow, attacks: [loss, lira_online]}
exhibits: {}
"""
NETWORK = """
import torch
from torch import nn

def build(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

def train(x, labels, seed, device):
    network = build(x.shape[1:], 10).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), labels).backward()
        optimizer.step()
    return network
"""


@pytest.fixture
def project(tmp_path):
    return new_project(tmp_path / "fresh", yaml.safe_load(FOREST))


def scores(project, audit, label):
    with h5py.File(project.results / f"audits/{audit}/{label}.h5") as file:
        return file["scores"][()]


@pytest.mark.slow
def test_a_forest_has_the_same_scores_trained_and_released(project):
    """Given as a file of skops; its signals are the logits of clipped probabilities."""
    project.run()
    weights = load_file(project.results / "cohorts/trained/models/0.safetensors")
    (project.root / "forest.skops").write_bytes(weights["skops"].tobytes())
    with h5py.File(project.results / "cohorts/trained/membership/0.h5") as file:
        np.save(project.root / "members.npy", file["member"][0])
    project.study["cohorts"]["mine"] = {
        "population": "digits", "recipe": "forest", "weights": "forest.skops",
        "members": "members.npy",
    }  # fmt: skip
    project.study["audits"]["mine"] = project.study["audits"]["trained"] | {"target": "mine"}
    project.run()
    for label in ("loss", "lira_online"):
        assert (
            np.abs(scores(project, "mine", label) - scores(project, "trained", label)).max() < 1e-5
        )
    with h5py.File(project.results / "cohorts/mine/signals/0.h5") as file:
        p = np.exp(file["logits"][0].astype(float))
        own = p[np.arange(300), file["labels"][()]]
        assert file["phi"][0, :, 0] == pytest.approx(np.log(own / (1 - own)), abs=1e-2)
        assert (p >= 0.99e-6).all()
        assert np.abs(p.sum(1) - 1).max() < 1e-4
    log = (project.results / "logs/accept_models/mine/0.log").read_text()
    assert "of its 80 members" in log.splitlines()[0]


@pytest.mark.slow
def test_a_users_own_training_makes_the_shadow_models(project):
    (project.root / "network.py").write_text(NETWORK)
    project.study["recipes"]["forest"] = {"architecture": {"file": "network.py"}}
    project.run()
    history = (project.results / "cohorts/shadow/models/1.history.csv").read_text().splitlines()
    columns = history[0].split(",")
    rows = [dict(zip(columns, line.split(","), strict=True)) for line in history[1:]]
    assert [int(row["model"]) for row in rows] == [4, 5, 6, 7]
    assert all(float(row["train_accuracy"]) > 0.9 for row in rows)
    assert np.isfinite(scores(project, "trained", "lira_online")).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipes": {"forest": {"epochs": 3}}}, "recipes.forest.epochs: an estimator (sklearn)"),
        ({"cohorts": {"shadow": {"queries": {"count": 2}}}}, "cohorts.shadow.queries.count: "),
        ({"attacks": {"merlin": {}}}, "attacks.merlin asks networks for noise, and target"),
        ({"recipes": {"forest": {"architecture": {"name": "mlp"}}}}, "option 'epochs' is required"),
    ],
    ids=["epochs", "queries", "probes", "no epochs"],
)  # fmt: skip
def test_what_estimators_cannot_is_refused_before_anything_runs(project, changes, said):
    for section, entries in changes.items():
        for name, keys in entries.items():
            project.study[section].setdefault(name, {}).update(keys)
    project.study["audits"]["trained"]["attacks"] = list(project.study["attacks"])
    assert said in project.fail("--dry-run").text


@pytest.mark.slow
def test_a_table_beside_the_study_says_who_the_members_of_a_released_forest_are(project):
    """A CSV with the members as a column, and the estimator as a file of skops."""
    import pandas as pd
    import skops.io
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier

    x, y = make_classification(300, 6, random_state=1, flip_y=0.3)
    member = np.random.default_rng(1).random(300) < 0.4
    frame = pd.DataFrame(x.round(6), columns=list("abcdef")).assign(y=y, member=member.astype(int))
    frame.to_csv(project.root / "people.csv", index=False)
    forest = RandomForestClassifier(20, random_state=1)
    forest.fit(frame.loc[member, list("abcdef")].to_numpy(), y[member])
    skops.io.dump(forest, project.root / "forest.skops")
    project.study["populations"] = {
        "people": {"source": "table", "path": "people.csv", "label": "y", "member": "member",
                   "standardise": "none"}
    }  # fmt: skip
    project.study["cohorts"] = {
        "target": {"population": "people", "recipe": "forest", "weights": "forest.skops"},
        "shadow": project.study["cohorts"]["shadow"]
        | {"population": "people", "design": {"name": "balanced", "size_of": "target", "group": 4}},
    }
    project.study["audits"] = {
        "mine": {"target": "target", "shadow": "shadow", "attacks": ["loss"]}
    }
    project.run("results/audits/mine/loss.metrics.json")
    with h5py.File(project.results / "audits/mine/loss.h5") as file:
        assert np.array_equal(file["member"][0], member)
    log = (project.results / "logs/accept_models/target/0.log").read_text()
    assert f"is right about 100.0% of its {member.sum()} members" in log
    with h5py.File(project.results / "cohorts/shadow/membership/0.h5") as file:
        assert (file["member"][()].sum(1) == member.sum()).all()
