"""Results without records, or copied: never shown for settings they were not made with."""

import base64
import json
import os
import shutil
from copy import deepcopy

import numpy as np
import pytest
from projects import change, simulated
from test_reruns import ALL, ANSWER, CHANGES, EXHIBITS, METRICS, exhibits, scores

from miatlas.study import jobs, reading


def forget(project, records=False):
    """Lose Snakemake's hidden folder, and if asked what is recorded beside the results."""
    shutil.rmtree(project.root / ".snakemake")
    if records:
        shutil.rmtree(project.results / "records")


def test_every_result_has_a_record_of_its_settings_and_code(done):
    records = done.results / "records"
    assert {str(p.relative_to(records)) for p in records.rglob("*") if p.is_file()} == done.made()
    record = json.loads((records / "cohorts/one/models/1.safetensors").read_text())
    settings = jobs.training_settings(reading.read(done.study), "one", "1")
    assert repr(jobs.canonical(settings)) in record["params"]
    assert len(record["params"]) == 3  # settings, code, and content of the user's files: none
    forget(done)
    assert done.plan() == set()


def test_results_are_copied_with_their_records(done, project):
    """A copy without times and without the hidden folder: what the files hold is what counts."""
    for name in sorted(done.made() | {f"records/{name}" for name in done.made()}):
        target = project.results / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(done.results / name, target)
    assert project.plan() == set()


@pytest.mark.parametrize("what", ["an attack's option", "a caption", "queries", "the seed"])
def test_a_changed_study_is_seen_without_the_hidden_folder(done, what):
    changes, expected = CHANGES[what]
    for path, value in changes.items():
        change(done.study, path, deepcopy(value))
    forget(done)
    assert done.plan() == expected


def test_edited_code_is_seen_without_the_hidden_folder(done):
    forget(done)
    with open(done.root / "scripts/miatlas/leakage/metrics.py", "a") as module:
        module.write("\n\nADDED = 1\n")
    assert done.plan() == METRICS | ANSWER | EXHIBITS - exhibits("losses.svg")


def test_what_has_no_record_is_made_again_unless_somebody_vouches_for_it(done):
    forget(done, records=True)
    run = done.run("--dry-run")
    assert "unknown: there is no record of it (snakemake --touch" in run.text
    assert done.plan() == ALL
    before = done.results.joinpath("audits/one/loss.h5").read_bytes()
    done.run("--touch")
    assert done.plan() == set()
    assert done.results.joinpath("audits/one/loss.h5").read_bytes() == before


def test_one_lost_record_costs_one_job_and_what_follows_from_it(done):
    (done.results / "records/audits/one/lira_offline.metrics.json").unlink()
    lost = {"audits/one/lira_offline.metrics.json"}
    assert done.plan() == lost | exhibits("lira_table.html", "answer.html")


def test_exhibits_copied_alone_are_made_again(done, project):
    shutil.copytree(done.results / "exhibits", project.results / "exhibits")
    assert project.plan() == ALL


def test_the_hidden_folder_of_an_earlier_version_still_counts(done):
    """Records that lie there, and nowhere else, are read and kept up to date there."""
    name = "results/audits/one/lira_online.h5"
    hidden = done.root / ".snakemake/metadata" / encoded(name)
    (done.results / "records/audits/one/lira_online.h5").rename(hidden)
    assert done.plan() == set()
    done.study["attacks"]["lira_online"]["variance"] = "per_example"
    assert done.plan() == scores("one/lira_online") | exhibits("curves.svg", "provenance.html")


def encoded(name: str) -> str:
    """How Snakemake names the record of a file."""
    return base64.urlsafe_b64encode(name.encode()).decode()


# What users bring ------------------------------------------------------------------------------


def older(path):
    """Let a file be older than everything else, as `cp -p`, `rsync -a` and `tar` do."""
    os.utime(path, (1e9, 1e9))


def replaced(project, path, write, target):
    """Say what a plan finds to do: for the same content at other times, then for other content."""
    project.run(target)
    assert project.plan(target) == set()
    same = path.read_bytes()
    path.unlink()
    path.write_bytes(same)  # newer
    newer = project.plan(target)
    older(path)
    older_ = project.plan(target)
    write(1)
    older(path)
    other = project.plan(target)
    write(2)
    return newer, older_, other, project.plan(target)


@pytest.mark.slow
def test_signals_are_what_they_hold(project):
    path = project.root / "mine.h5"

    def write(seed):
        simulated(path, models=4, examples=40, seed=seed)

    write(0)
    project.study["cohorts"]["mine"] = {"signals": "mine.h5"}
    signals = "cohorts/mine/signals/0.h5"
    found = replaced(project, path, write, f"results/{signals}")
    assert found == (set(), set(), {signals}, {signals})


@pytest.mark.slow
@pytest.mark.parametrize("canaries", [False, True])
def test_data_are_what_they_hold(project, canaries):
    """Data of the user's own, for a population or for the canaries in one."""
    path = project.root / "mine.npz"

    def write(seed, path=path):
        stream = np.random.default_rng(seed)
        labels = np.arange(30) % 3
        np.savez(path, x=stream.random((30, 1, 8, 8), np.float32), labels=labels)

    write(0)
    own = {"source": "npz", "path": "mine.npz"}
    if canaries:
        write(5, project.root / "base.npz")
        inserted = {"count": 5, "kind": "other", "other": own}
        own = {"source": "npz", "path": "base.npz", "canaries": inserted}
    project.study["data_root"] = "."
    project.study["populations"]["digits"] = own
    population = "populations/digits.h5"
    found = replaced(project, path, write, f"results/{population}")
    assert found == (set(), set(), {population}, {population})
