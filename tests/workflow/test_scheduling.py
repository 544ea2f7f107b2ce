"""Snakemake looks for jobs to start when one has ended, not once a second for each that has."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from projects import REPOSITORY


def passes(said: str) -> int:
    """How often the scheduler looked for jobs to start."""
    return len(re.findall(r"^Ready jobs: ", said, flags=re.M))


def test_the_scheduler_looks_once_for_each_job_that_ends(done):
    metrics = ("--forcerun", "measure_leakage", "--until", "measure_leakage", "--verbose")
    run = done.run(*metrics, cores=1)  # four jobs of a second or so
    assert passes(run.text) == run.text.count("Finished jobid") == 4


STARTED = r"^(?:local)?rule train_models:"


def resources(said: str) -> dict[str, dict[str, int]]:
    """Return what jobs of models are planned to ask for, by their first output."""
    found = {}
    for piece in re.split(r"^rule ", said, flags=re.M)[1:]:
        output = re.search(r"^    output: results/cohorts/([^,\s]+)", piece, flags=re.M)
        asked = re.search(r"^    resources: (.*)$", piece, flags=re.M)
        if output and asked:
            numbers = re.findall(r"(\w+)=(\d+)", asked[1])
            found[output[1]] = {name: int(value) for name, value in numbers}
    return found


def test_jobs_of_models_ask_for_what_those_before_them_took(project):
    """Of their own cohort, whatever the rule says; and for no more than the machine has."""
    folder = project.results / "benchmarks" / "train_models" / "one"
    folder.mkdir(parents=True)
    (folder / "0.tsv").write_text("s\tmax_rss\n1800\t3000\n")
    asked = resources(project.run("--dry-run").text)
    for block in ("0", "1"):
        own = asked[f"one/models/{block}.safetensors"]
        assert (own["mem_mb"], own["runtime"]) == (4500, 70)
        queried = asked[f"one/signals/{block}.h5"]
        assert (queried["mem_mb"], queried["runtime"]) == (1500 + 20 * 4, 240)
    other = asked["two/models/0.safetensors"]
    assert (other["mem_mb"], other["runtime"]) == (1580, 720)
    asked = resources(project.run("--dry-run", "--resources", "mem_mb=4000").text)
    assert asked["one/models/0.safetensors"]["mem_mb"] == 4000


def test_make_lets_jobs_ask_for_no_more_at_once_than_the_machine_has(project):
    shutil.copy(REPOSITORY / "Makefile", project.root)

    def said(*given):
        command = ["make", "--dry-run", "--always-make", *given, "STUDY=study.yaml", "demo"]
        return subprocess.run(command, capture_output=True, text=True, cwd=project.root).stdout

    assert "mem_mb=8000 " in said("MEMORY=8000")
    assert "mem_mb" not in said("MEMORY=")  # of a machine that does not say
    total = int(re.search(r"^MemTotal: *(\d+)", Path("/proc/meminfo").read_text())[1]) / 1024
    assert int(re.search(r"mem_mb=(\d+) ", said())[1]) == pytest.approx(0.9 * total, abs=1)


@pytest.mark.slow
def test_large_jobs_do_not_run_at_once_where_memory_is_short(project):
    """Three jobs could train at once, two on two cores; each asks for more than half of it all."""
    run = project.run("--resources", "mem_mb=3000", "--until", "train_models", "--verbose")
    assert len(re.findall(STARTED, run.text, flags=re.M)) == 3
    running = most = 0
    for line in run.text.splitlines():
        running += bool(re.match(STARTED, line))
        running -= bool(re.match(r"Finished jobid: \d+ \(Rule: train_models\)", line))
        most = max(most, running)
    assert most == 1


@pytest.mark.slow
def test_a_limit_of_jobs_a_second_that_was_asked_for_stays(done):
    metrics = ("--forcerun", "measure_leakage", "--until", "measure_leakage")
    run = done.run(*metrics, "--verbose", "--max-jobs-per-timespan", "1/3s")
    assert "Job rate limit reached" in run.text
