"""`make new`: a folder with an audit that runs at once, without a line of one's own."""

import filecmp
import json
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from projects import REPOSITORY

FILES = ["README.md", "audit.yaml", "data.npz", "members.txt", "model.pt", "network.py"]


def written(project, *arguments):
    """Let the script write a folder, from the project's copy of the repository."""
    command = [sys.executable, "scripts/new_audit.py", *arguments]
    return subprocess.run(command, cwd=project.root, capture_output=True, text=True)


@pytest.fixture
def new(project):
    done = written(project, "mine")
    assert done.returncode == 0, done.stderr
    assert "make STUDY=mine/audit.yaml" in done.stdout
    (project.root / "study.yaml").unlink()
    return project


def run_as_it_is(project, name):
    """Run the study of a folder; return where its results are."""
    study = project.root / name / "audit.yaml"
    assert len(study.read_text().splitlines()) <= 45
    command = [part if part != str(project.root / "study.yaml") else str(study)
               for part in project.command()]  # fmt: skip
    run = subprocess.run(command, cwd=project.root, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return project.root / "results" / name


@pytest.mark.slow
def test_the_folder_runs_as_it_is_and_names_who_was_remembered(new):
    """And stands anywhere: its files are looked for beside the study."""
    assert sorted(path.name for path in (new.root / "mine").iterdir()) == FILES
    results = run_as_it_is(new, "mine")
    found = json.loads((results / "audits/leakage/lira_online.metrics.json").read_text())
    assert found["targets"][0]["auc"]["low"] > 0.6
    assert found["targets"][0]["members"] == 300
    log = (results / "logs/accept_models/target/0.log").read_text()
    assert log.startswith("target: model 0 is right about 100.0% of its 300 members")
    assert (results / "exhibits/mine/leakage_curves.svg").exists()


@pytest.mark.slow
def test_the_example_is_made_of_a_seed_and_nothing_is_written_over(new):
    assert written(new, "yours").returncode == 0
    same = filecmp.cmpfiles(new.root / "mine", new.root / "yours", ["data.npz", "members.txt"])
    assert same[0] == ["data.npz", "members.txt"]
    again = written(new, "mine")
    assert again.returncode == 1
    assert again.stderr == "miatlas: mine: is there already, and not empty: choose another AUDIT=\n"


@pytest.mark.slow
def test_an_estimator_s_folder_runs_as_it_is_and_names_who_was_remembered(project):
    done = written(project, "forest", "estimator")
    assert done.returncode == 0, done.stderr
    files = sorted(path.name for path in (project.root / "forest").iterdir())
    assert files == ["README.md", "audit.yaml", "model.skops", "people.csv"]
    (project.root / "study.yaml").unlink()
    with (project.root / "forest" / "audit.yaml").open("a") as study:
        study.write("show_records: true\n")
    results = run_as_it_is(project, "forest")
    told = json.loads((results / "exhibits/forest/answer.json").read_text())["audits"][0]["records"]
    person = pd.read_csv(project.root / "forest" / "people.csv").iloc[told[0]["example"]]
    assert told[0]["row"].startswith(f"mean radius {person['mean radius']:g}, mean texture ")
    assert (told[0]["class_name"], person["member"]) == (person["diagnosis"], 1)
    found = json.loads((results / "audits/leakage/lira_online.metrics.json").read_text())
    assert found["targets"][0]["auc"]["low"] > 0.55
    assert found["targets"][0]["members"] == 200
    log = (results / "logs/accept_models/target/0.log").read_text()
    assert log.startswith("target: model 0 is right about 100.0% of its 200 members")
    assert (results / "exhibits/forest/answer.html").exists()


def test_an_unknown_kind_is_refused_before_a_folder_is_made(project):
    done = written(project, "mine", "forest")
    assert done.returncode == 1
    assert done.stderr == (
        "miatlas: 'forest' is no kind of model: choose KIND=network or KIND=estimator\n"
    )
    assert not (project.root / "mine").exists()


@pytest.mark.parametrize("template", ["audit.yaml", "estimator/audit.yaml"])
def test_the_templates_are_studies_of_known_keys(template):
    study = yaml.safe_load((REPOSITORY / "config/audit" / template).read_text())
    assert set(study) == {
        "study", "seed", "pathvars", "populations", "recipes", "cohorts", "attacks", "audits",
    }  # fmt: skip
