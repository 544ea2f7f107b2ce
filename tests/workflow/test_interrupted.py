"""A run that was stopped half way, or whose files were damaged, and is started again."""

import os
import signal
import time

import pytest
from projects import new_project
from test_repeatable import content

LONG = 400  # epochs: seconds, so that there is a middle to stop in
TARGET = "results/cohorts/one/signals/0.h5"


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A study with one cohort that takes a few seconds to train, and its undisturbed results."""

    def new():
        study = {
            "study": "long",
            "populations": {"digits": {"source": "digits", "subset": 200}},
            "recipes": {
                "plain": {
                    "architecture": {"name": "mlp", "widths": [16]},
                    "epochs": LONG,
                    "batch_size": 50,
                }
            },
            "cohorts": {
                "one": {
                    "population": "digits", "recipe": "plain",
                    "design": {"name": "half", "group": 2}, "models": 2,
                }
            },
        }  # fmt: skip
        return new_project(tmp_path_factory.mktemp("long") / "miatlas", study)

    undisturbed = new()
    undisturbed.run(TARGET)
    return new, content(undisturbed)


def alive(group):
    """Whether any process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def stop_in_training(project, sent):
    """Start a run, wait until a model is half trained, send a signal, wait until all is over."""
    process = project.start(TARGET)
    log = project.results / "logs/train_models/one/0.log"
    while not (log.exists() and f"/{LONG}" in log.read_text()):
        assert process.poll() is None, (project.root / "said.txt").read_text()
        time.sleep(0.02)
    os.killpg(process.pid, sent)
    run = project.finish(process)
    patience = time.monotonic() + 10
    while alive(process.pid):
        assert time.monotonic() < patience, "a job outlived the workflow"
        time.sleep(0.02)
    return run


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_ends_in_the_same_files_when_started_again(long, sent):
    new, undisturbed = long
    project = new()
    run = stop_in_training(project, sent)
    assert run.status != 0
    assert "Traceback" not in run.text
    assert not project.made("cohorts/one/models")
    before = project.times()
    if sent == signal.SIGKILL:  # Snakemake could not take its lock away
        assert "--unlock" in project.fail(TARGET).text
        project.run("--unlock")
    project.run(TARGET)
    assert content(project) == undisturbed
    after = project.times()
    assert {name: after[name] for name in before} == before  # what was there is kept


def test_a_temporary_file_left_behind_is_no_result(done):
    weights = done.results / "cohorts/one/models/1.safetensors"
    left = weights.with_name(f".{weights.name}.12345")
    left.write_bytes(weights.read_bytes()[:1000])
    assert done.plan() == set()
    weights.unlink()
    made = "cohorts/one/models/1.safetensors"
    assert done.plan(f"results/{made}") == {made}


READERS = {
    "cohorts/one/models/1.safetensors": ["cohorts/one/signals/1.h5"],
    "cohorts/one/signals/1.h5": ["audits/one/lira_online.h5"],
    "audits/one/loss.h5": ["audits/one/loss.metrics.json", "audits/one/loss.roc.csv"],
    "populations/digits.h5": ["cohorts/one/roles.h5"],
}


@pytest.mark.parametrize(("file", "dependents"), READERS.items(), ids=READERS)
def test_a_file_cut_short_is_named_by_its_reader(done, file, dependents):
    path = done.results / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for dependent in dependents:
        (done.results / dependent).unlink()
    text = done.fail(f"results/{dependents[0]}").text
    assert f"miatlas: results/{file}: not a readable" in text
    assert "Traceback" not in text


def test_a_file_cut_short_while_nothing_reads_it_is_found_by_its_checksum(done):
    path = done.results / "cohorts/one/signals/1.h5"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert done.plan() != set()
