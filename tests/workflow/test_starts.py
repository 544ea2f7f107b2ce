"""A start that finds nothing to do costs little more than Snakemake's own."""

import os
import resource
import subprocess
import sys
from statistics import median

import pytest
from projects import REPOSITORY, new_project

SLOW_TO_READ = {"torch", "pandas", "scipy.stats", "sklearn", "matplotlib"}
MODULES_AFTER = """
import sys
from snakemake.cli import main
try:
    main(sys.argv[1:])
finally:
    print("modules:", *sys.modules)
"""
EMPTY = "rule all:\n    default_target: True\n    input: 'Snakefile'\n"
WITH_A_TABLE = """
include: "rules/mended.smk"
import pandas
rule all:
    default_target: True
    output: "made"
    params: table=pandas.DataFrame({"value": [config["value"]]})
    shell: "touch {output}"
"""

READ_TWICE = """
include: "rules/mended.smk"
import hashlib
read, digest = [], hashlib.file_digest
def counted(file, *more):
    read.append(getattr(file, "name", ""))
    return digest(file, *more)
hashlib.file_digest = counted
onsuccess: print("read:", *read)
rule all:
    default_target: True
    input: "second"
rule first:
    input: "read"
    output: "first"
    shell: "touch {output}"
rule second:
    input: "read", "first"
    output: "second"
    shell: "CHANGE; touch {output}"
"""


def test_a_start_reads_no_slow_library(finished):
    command = [sys.executable, "-c", MODULES_AFTER, *finished.command()[3:]]
    run = subprocess.run(command, cwd=finished.root, capture_output=True, text=True)
    said, modules = (run.stdout + run.stderr).split("modules:")
    assert "Nothing to be done" in said + modules
    assert "snakemake" in modules.split()
    assert not SLOW_TO_READ & set(modules.split())


@pytest.mark.slow
def test_tables_of_pandas_count_among_the_params_of_a_workflow_that_includes_this_one(tmp_path):
    project = new_project(tmp_path / "tables", {})
    (project.root / "Snakefile").write_text(WITH_A_TABLE)
    project.run("--config", "value=1")
    assert "Nothing to be done" in project.run("--dry-run", "--config", "value=1").text
    assert "Params have changed" in project.run("--dry-run", "--config", "value=2").text


@pytest.mark.parametrize(("change", "times"), [("true", 1), ("echo more >> read", 2)])
def test_a_file_is_read_once_for_its_checksum_until_it_changes(tmp_path, change, times):
    project = new_project(tmp_path / "twice", {})
    (project.root / "Snakefile").write_text(READ_TWICE.replace("CHANGE", change))
    (project.root / "read").write_text("something")
    said = project.run().text.split("read:")[1].splitlines()[0]
    assert said.split().count("read") == times


def start(folder, program=("-m", "snakemake")) -> float:
    """Run Snakemake, or a program in its place; return the seconds of CPU time that it took."""
    environment = {key: value for key, value in os.environ.items() if key != UNWRITTEN}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(
        [sys.executable, *program, "--cores", "2"],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert run.returncode == 0, run.stderr
    assert "Nothing to be done" in run.stderr or program[0] != "-m"
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


UNWRITTEN = "PYTHONDONTWRITEBYTECODE"  # a user's second start finds the modules compiled


@pytest.mark.slow
def test_a_finished_demo_starts_within_1_8_times_the_cpu_time_of_an_empty_workflow(tmp_path):
    demo, empty = new_project(tmp_path / "demo", {}).root, tmp_path / "empty"
    empty.mkdir()
    (empty / "Snakefile").write_text(EMPTY)
    start(demo, program=[str(REPOSITORY / "benchmarks/finished.py")])
    start(demo)  # compiles what only this kind of start reads
    seconds = [(start(demo), start(empty)) for _ in range(5)]
    ours, bare = (median(side) for side in zip(*seconds, strict=True))
    assert ours < 1.8 * bare, f"{ours:.2f} s against {bare:.2f} s of an empty workflow"
