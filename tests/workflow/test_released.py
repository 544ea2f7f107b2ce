"""A model that exists: asked like one that is trained here, beside shadow models of its size."""

import json
import shutil
import time

import h5py
import numpy as np
import pytest
import torch
import yaml
from projects import Project, new_project
from safetensors.numpy import load_file

from miatlas.leakage.intervals import clopper_pearson

NETWORK = """
from torch import nn

def build(shape, classes, *, width: int = 32):
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], width), nn.ReLU(),
                         nn.Linear(width, classes))
"""
STUDY = """
study: mine
seed: 3
populations:
  digits: {source: digits, subset: 400}
recipes:
  mine:
    architecture: {file: network.py}
    epochs: 60
    batch_size: 20
    optimizer: {name: sgd, lr: 0.1}
cohorts:
  trained: {population: digits, recipe: mine, design: {name: iid, size: 100}, models: 1}
  shadow:
    population: digits
    recipe: mine
    design: {name: balanced, size_of: trained, group: 4}
    models: 8
    block: 4
attacks:
  loss: {}
  lira_online: {variance: global}
audits:
  trained: {target: trained, shadow: shadow, attacks: [loss, lira_online]}
exhibits: {}
"""
LABELS = ("loss", "lira_online")


def scores(project, audit, label):
    with h5py.File(project.results / f"audits/{audit}/{label}.h5") as file:
        return {name: file[name][()] for name in ("scores", "member", "evaluated")}


pytestmark = pytest.mark.slow  # two minutes: models are trained, asked and attacked


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """The model of the cohort `trained`, taken out, and audited as a released one."""
    project = new_project(tmp_path_factory.mktemp("released") / "miatlas", yaml.safe_load(STUDY))
    (project.root / "network.py").write_text(NETWORK)
    project.run()
    weights = load_file(project.results / "cohorts/trained/models/0.safetensors")
    state = {n.removeprefix("network."): torch.tensor(w[0]) for n, w in weights.items()}
    torch.save({"epoch": 60, "state_dict": state}, project.root / "model.pt")
    with h5py.File(project.results / "cohorts/trained/membership/0.h5") as file:
        members = np.flatnonzero(file["member"][0])
    (project.root / "members.txt").write_text("\n".join(map(str, members)))
    release(project.study)
    project.run()
    return project


def release(study):
    """Add the released cohort, its shadow models and its audit to the study."""
    cohorts = study["cohorts"]
    cohorts["mine"] = {"population": "digits", "recipe": "mine", "weights": "model.pt",
                       "members": "members.txt"}  # fmt: skip
    cohorts["beside"] = {**cohorts["shadow"], "design": {**cohorts["shadow"]["design"]}}
    cohorts["beside"]["design"]["size_of"] = "mine"
    audit = {"target": "mine", "shadow": "shadow", "attacks": list(LABELS)}
    study["audits"]["same"] = audit
    study["audits"]["mine"] = audit | {"shadow": "beside"}


@pytest.fixture
def done(audited, tmp_path):
    shutil.copytree(audited.root, tmp_path / "done")
    time.sleep(0.01)
    project = Project(tmp_path / "done", yaml.safe_load(STUDY))
    release(project.study)
    return project


def test_the_same_model_has_the_same_scores_trained_and_released(audited):
    for label in LABELS:
        one, other = (scores(audited, audit, label) for audit in ("trained", "same"))
        assert np.abs(one["scores"] - other["scores"]).max() < 1e-5
        assert np.array_equal(one["member"], other["member"])
        assert np.array_equal(one["evaluated"], other["evaluated"])


def test_shadow_models_have_as_many_members_as_the_target(audited):
    for block in (0, 1):
        with h5py.File(audited.results / f"cohorts/beside/membership/{block}.h5") as file:
            assert (file["member"][()].sum(1) == 100).all()


def test_shadow_models_give_the_one_target_its_thresholds(audited):
    """Eight of them, each attacked with the others; the page says what an attacker achieves."""
    result = json.loads((audited.results / "audits/mine/loss.metrics.json").read_text())
    with h5py.File(audited.results / "audits/mine/loss.h5") as file:
        others, member = (file[f"stand_in_{name}"][()] for name in ("scores", "member"))
        counted = file["stand_in_evaluated"][()] & ~member
    shadow = []
    for block in (0, 1):
        with h5py.File(audited.results / f"cohorts/beside/membership/{block}.h5") as file:
            shadow.append(file["member"][()])
    assert np.array_equal(member, np.concatenate(shadow))
    pool = np.sort(others[counted])[::-1]
    at, own = pool[int(0.1 * len(pool))], scores(audited, "mine", "loss")
    named = own["scores"][0][own["member"][0] & own["evaluated"][0]] > at
    wrongly = own["scores"][0][~own["member"][0] & own["evaluated"][0]] > at
    [one] = [one for one in result["targets"][0]["transferred"]["rates"] if one["level"] == 0.1]
    assert (one["tpr"], one["realised_fpr"]) == (named.mean(), wrongly.mean())
    assert (one["low"], one["high"]) == clopper_pearson(int(named.sum()), len(named))
    assert result["thresholds_from"] == {
        "models": "shadow models", "count": 8, "nonmembers": len(pool),
    }  # fmt: skip
    page = json.loads((audited.results / "exhibits/mine/answer.json").read_text())
    [answer] = [audit for audit in page["audits"] if audit["audit"] == "mine"]
    assert [finding["transferred"] for finding in answer["findings"]] == [True, False]
    assert answer["strongest"] == "loss"
    assert "from other models" in answer["how"]


def test_a_member_of_a_stand_in_may_have_too_few_references_which_is_said(audited):
    """An example is in two of eight; of one that is attacked, one is left: no variance."""
    file = audited.results / "audits/mine/lira_online.metrics.json"
    result = json.loads(file.read_text())
    assert result["targets"][0]["transferred"] is None
    assert "cannot stand in for it (a global variance needs" in result["not_transferred"]


def test_the_log_begins_with_the_accuracy(audited):
    first = (audited.results / "logs/accept_models/mine/0.log").read_text().splitlines()[0]
    history = (audited.results / "cohorts/trained/models/0.history.csv").read_text().splitlines()
    row = dict(zip(history[0].split(","), history[-1].split(","), strict=True))
    train, test = (float(row[f"{side}_accuracy"]) for side in ("train", "test"))
    assert first == (
        f"mine: model 0 is right about {train:.1%} of its 100 members and {test:.1%} of 300"
        " non-members"
    )


def test_a_finished_audit_has_nothing_to_do(done):
    assert done.plan() == set()


AFTER = {f"audits/{audit}/{label}{end}" for audit in ("same", "mine") for label in LABELS
         for end in (".h5", ".metrics.json")}  # fmt: skip
ASKED = {"cohorts/mine/models/0.safetensors", "cohorts/mine/signals/0.h5"}
TOLD = {"exhibits/mine/provenance.html", "exhibits/mine/answer.html"}


def test_a_new_checkpoint_asks_and_scores_anew_and_keeps_the_shadow_models(done):
    """Also one that is older than what was made of the last."""
    state = torch.load(done.root / "model.pt", weights_only=True)
    state["state_dict"]["3.bias"] += 0.5
    torch.save(state, done.root / "model.pt")
    assert done.plan() == ASKED | AFTER | TOLD


def test_another_list_of_members_draws_anew_what_depends_on_it(done):
    lines = (done.root / "members.txt").read_text().split()
    (done.root / "members.txt").write_text("\n".join(lines[1:]))
    plan = done.plan()
    assert "cohorts/mine/membership/0.h5" in plan
    assert "cohorts/beside/models/0.safetensors" in plan
    assert not {name for name in plan if name.startswith(("cohorts/shadow", "cohorts/trained"))}


def test_an_attacks_option_recomputes_that_attack_only(done):
    done.study["attacks"]["lira_online"] = {"variance": "per_example"}
    audits = ("trained", "same", "mine")
    assert (
        done.plan()
        == {
            f"audits/{audit}/lira_online{end}"
            for audit in audits
            for end in (".h5", ".metrics.json")
        }
        | TOLD
    )


def test_eight_more_shadow_models_train_eight(done):
    done.study["cohorts"]["beside"]["models"] = 16
    trained = {name for name in done.plan() if "/models/" in name}
    assert trained == {f"cohorts/beside/models/{block}.safetensors" for block in (2, 3)}


def test_an_edited_network_reruns_what_depends_on_it(done):
    text = (done.root / "network.py").read_text()
    (done.root / "network.py").write_text(f"# words alone\n{text}")
    assert done.plan() == set()
    (done.root / "network.py").write_text(text.replace("nn.ReLU()", "nn.Tanh()"))
    plan = done.plan()
    assert {name for name in plan if "/models/" in name} == {
        f"cohorts/{cohort}/models/{block}.safetensors"
        for cohort, blocks in (("trained", 1), ("mine", 1), ("shadow", 2), ("beside", 2))
        for block in range(blocks)
    }
    assert not {name for name in plan if "/membership/" in name}


# What is refused, and what is remarked on -------------------------------------------------------


def refused(project):
    """What is said in one line of a released model that cannot be audited; nothing is trained."""
    shutil.rmtree(project.results / "cohorts/beside")
    run = project.fail("results/audits/mine/loss.h5")
    said = [line for line in run.text.splitlines() if line.startswith("miatlas: ")]
    assert len(said) == 1, run.text
    return said[0]


def test_a_model_at_chance_stops_the_audit_with_what_to_look_at(done):
    """Its classes are in another order: so much can be told."""
    state = torch.load(done.root / "model.pt", weights_only=True)
    for name in ("3.weight", "3.bias"):
        state["state_dict"][name] = state["state_dict"][name].roll(1, 0)
    torch.save(state, done.root / "model.pt")
    said = refused(done)
    assert "cohorts.mine: model 0 is right about 0.0% of its members" in said
    assert "it answers 1 for label 0, 2 for label 1" in said
    done.study["cohorts"]["mine"]["at_chance"] = "go_on"
    done.run("results/audits/mine/loss.h5")


def test_malicious_weights_are_refused_in_one_line(done):
    class Command:
        def __reduce__(self):
            import os

            return os.system, (f"touch {done.root}/ran",)

    torch.save({"state_dict": {}, "more": Command()}, done.root / "model.pt")
    assert "model.pt: holds more than weights (posix.system)" in refused(done)
    assert not (done.root / "ran").exists()


def test_members_that_the_model_knows_no_better_are_remarked_on(done):
    rest = sorted(set(range(400)) - set(map(int, (done.root / "members.txt").read_text().split())))
    (done.root / "members.txt").write_text("\n".join(map(str, rest[:100])))
    done.run("results/cohorts/mine/models/0.safetensors")
    log = (done.results / "logs/accept_models/mine/0.log").read_text()
    assert "remark: its members are no easier to it than the others" in log


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights": "gone.pt"}, "cohorts.mine.weights: there is no file gone.pt"),
        ({"members": "gone.txt"}, "cohorts.mine.members: there is no file gone.txt"),
        ({"members": ["members.txt"] * 2}, "2 lists of 1 models"),
        ({"design": {"name": "paired"}}, "cohorts.mine: unknown option 'design'"),
        ({"recipe": "yours"}, "cohorts.mine.recipe: 'yours' does not exist"),
    ],
    ids=["weights", "members", "lists", "design", "recipe"],
)
def test_what_is_wrong_with_a_released_cohort_is_said_before_anything_runs(done, change, said):
    done.study["cohorts"]["mine"] |= change
    assert said in done.fail("--dry-run").text


def test_a_population_without_members_is_asked_for_a_list(done):
    del done.study["cohorts"]["mine"]["members"]
    run = done.fail("results/cohorts/mine/membership/0.h5")
    assert "cohorts.mine.members: give a list" in run.text


# What an audit finds ----------------------------------------------------------------------------


@pytest.mark.slow
def test_who_was_memorised_is_named_and_who_was_not_is_not(done):
    """A model trained on other members than those alleged gives intervals that contain chance."""
    members = set(map(int, (done.root / "members.txt").read_text().split()))
    rest = np.array(sorted(set(range(400)) - members))
    alleged = np.random.default_rng(1).permutation(rest)[:100]
    (done.root / "alleged.txt").write_text("\n".join(map(str, alleged)))
    (done.root / "others.txt").write_text("\n".join(map(str, np.setdiff1d(rest, alleged))))
    done.study["cohorts"]["innocent"] = done.study["cohorts"]["mine"] | {
        "members": "alleged.txt", "nonmembers": "others.txt"
    }  # fmt: skip
    done.study["audits"]["innocent"] = done.study["audits"]["same"] | {"target": "innocent"}
    done.run(*(f"results/audits/innocent/{label}.metrics.json" for label in LABELS))
    for audit, leaks in (("mine", True), ("innocent", False)):
        file = done.results / f"audits/{audit}/lira_online.metrics.json"
        found = json.loads(file.read_text())["targets"][0]
        if leaks:
            assert found["auc"]["low"] > 0.6
        else:
            assert found["auc"]["low"] < 0.5 < found["auc"]["high"]
