"""What `make plan` says of a study that never ran, and of one that did."""

import re
import shlex
import subprocess
import sys

import plan_study
import pytest
from projects import Project

from miatlas.study.plan import Job


def planned(project: Project, *arguments: str) -> str:
    """What the script says, with the arguments that the project's runs have."""
    return run(project, *arguments).stdout


def run(project: Project, *arguments: str) -> subprocess.CompletedProcess:
    """The same, with what it warns of."""
    project.write()
    script = project.root / "scripts" / "plan_study.py"
    command = [sys.executable, str(script), *project.command(*arguments)[3:]]
    said = subprocess.run(command, capture_output=True, text=True, cwd=project.root, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    return said


def lines(said: str) -> dict[str, list[str]]:
    """The table, by rule: jobs, core-hours, GPU-hours, GB, GB of memory, what hours rest on."""
    rows = re.findall(r"^(\w+) +(\d+) +(\S.*)$", said, flags=re.M)
    return {rule: [jobs, *re.split(r" {2,}", rest)] for rule, jobs, rest in rows}


def test_a_study_that_never_ran_is_counted_and_nothing_else_claimed(project):
    said = planned(project)
    assert said.startswith("Study tiny: 12 models, 12 to be trained\n")
    assert "one: 8 models of recipe plain on digits, 8 to be trained (4 to a job)" in said
    assert "two: 4 models of recipe faster on digits, 4 to be trained (4 to a job)" in said
    table = lines(said)
    assert table["train_models"] == ["3", "?", "-", "?", "?", "nothing: 3"]
    assert table["score_attack"] == ["4", "?", "-", "?", "?", "nothing: 4"]
    assert {row[1] for row in table.values()} == {"?"}
    advised = {f"results/cohorts/{cohort}/signals/0.h5" for cohort in ("one", "two")}
    assert set(said.splitlines()[-1].split()) == advised


def test_what_probes_take_is_told_to_be_found_out_as_well(project):
    project.study["attacks"]["gradient_norm"] = {}
    project.study["audits"]["one"]["attacks"].append("gradient_norm")
    project.study["exhibits"]["curves"]["attacks"].append("gradient_norm")
    said = planned(project)
    assert "probe_models: no record for 1 jobs" in said  # the block that the target is of
    assert "\nresults/cohorts/one/probes/gradients/0.h5\n" in said
    assert "query_models: no record for 3 jobs" in said


def test_a_delta_too_large_is_said_with_the_plan(project):
    project.study["recipes"]["plain"]["privacy"] = {"clip": 1.0, "noise": 1.0, "delta": 0.01}
    warned = run(project)
    warning = "miatlas: recipes.plain.privacy.delta is 0.01, not below 1 / 100, and models of"
    assert warned.stderr.startswith(warning)
    assert warned.stderr.count("\n") == 1
    assert warned.stdout.startswith("Study tiny: 12 models, ")
    project.study["recipes"]["plain"]["privacy"]["delta"] = 0.001
    assert not run(project).stderr


def test_an_audit_is_run_that_no_exhibit_shows(project):
    project.study["exhibits"] = {}
    table = lines(planned(project))
    assert table["score_attack"][0] == table["measure_leakage"][0] == "4"
    assert "score_attack" not in lines(planned(project, "figures"))


def test_with_gpus_the_hours_are_theirs(project):
    table = lines(planned(project, "--resources", "gpu=2"))
    assert table["train_models"][1:3] == ["-", "?"]
    assert table["score_attack"][1:3] == ["?", "-"]


def test_a_finished_study_has_nothing_to_run(done):
    said = planned(done)
    assert "8 models of recipe plain on digits, 0 to be trained" in said
    assert "nothing to run" in said


def test_a_study_that_grows_is_planned_from_its_own_records(done):
    done.study["cohorts"]["one"]["models"] = 16
    said = planned(done)
    assert "one: 16 models of recipe plain on digits, 8 to be trained (4 to a job)" in said
    table = lines(said)
    assert table["train_models"][0] == "2"
    assert table["train_models"][-1] == "neighbours: 2"
    assert table["score_attack"][-1] == "an earlier run: 3"  # on more shadow models
    records = (done.results / "benchmarks" / "train_models" / "one").glob("*.tsv")
    times = [float(path.read_text().splitlines()[1].split()[0]) for path in records]
    hours = 2 * sum(times) / len(times) / 3600
    assert float(table["train_models"][1]) == pytest.approx(hours, rel=0.06)
    sizes = (done.results / "cohorts/one/models").iterdir()
    new = sum(path.stat().st_size for path in sizes) / 1e9  # as much again
    assert float(table["train_models"][3]) == pytest.approx(new, rel=0.06)


def test_a_wrong_study_is_refused_as_by_the_workflow(project):
    project.study["cohorts"]["one"]["recipe"] = "none"
    project.write()
    script = project.root / "scripts" / "plan_study.py"
    command = [sys.executable, str(script), *project.command()[3:]]
    run = subprocess.run(command, capture_output=True, text=True, cwd=project.root, check=False)
    assert run.returncode != 0
    assert "cohorts.one.recipe" in run.stderr


def test_without_a_study_the_demo_is_planned_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert plan_study.configured([])["study"] == "demo"


def test_files_to_be_made_are_words_of_a_shell():
    jobs = [Job("train_models", (f"my 'results'/cohorts/{c}/models/0.safetensors",)) for c in "ab"]
    _, files = plan_study.advice("train_models", jobs).strip().splitlines()
    assert shlex.split(files) == [job.outputs[0] for job in jobs]
