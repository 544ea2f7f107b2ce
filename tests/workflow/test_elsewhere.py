"""The workflow in other places: in another one, below odd paths, without a home."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from projects import REPOSITORY, Project, new_project, simulated
from test_repeatable import content

ODD = "my 'odd' {x} \"d\" ~ $a"
MODULE = """
configfile: "caller.yaml"
module audit:
    snakefile: {snakefile!r}
    config: config["audit"]
    {more}
use rule * from audit as audit_*
rule all:
    default_target: True
    input: rules.audit_all.input, "own.txt"
rule own:
    input: rules.audit_make_table.output.csv.format(exhibit="loss_table")
    output: "own.txt"
    shell: "cp {{input}} {{output}}"
"""


def calling(folder, study, more) -> Project:
    """A project whose Snakefile uses the repository's code, in a folder of its own, as a module."""
    code = new_project(folder / "code {c}", study)
    (folder / "own").mkdir()
    text = MODULE.format(snakefile=str(code.root / "Snakefile"), more=more)
    (folder / "own" / "Snakefile").write_text(text)
    (folder / "own" / "caller.yaml").write_text(yaml.safe_dump({"audit": study}))
    project = Project(folder / "own", study)
    project.command = lambda *arguments, cores=2: [
        sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments
    ]  # fmt: skip
    return project


PLACES = {
    "a prefix": ("prefix: 'below'", "below/results"),
    "a path variable": ("pathvars:\n        results='made',", "made"),
}


@pytest.mark.parametrize(("more", "results"), PLACES.values(), ids=PLACES)
def test_a_module_has_its_own_names_and_its_own_results(tmp_path, study, more, results):
    """Signals are the caller's own file, which lies below no prefix."""
    study["cohorts"]["mine"] = {"signals": "mine.h5"}
    study["audits"]["mine"] = {"target": "mine", "attacks": ["loss"]}
    caller = calling(tmp_path, study, more)
    simulated(caller.root / "mine.h5", models=4, examples=20)
    said = caller.run("--dry-run").text
    assert "rule audit_train_models:" in said
    assert f"output: {results}/cohorts/one/signals/1.h5" in said
    assert f"output: {results}/exhibits/tiny/curves.svg" in said
    assert "input: mine.h5" in said


@pytest.mark.slow
def test_a_workflow_that_uses_this_one_makes_the_tiny_study(tmp_path, study, finished):
    caller = calling(tmp_path, study, "prefix: 'below'")
    caller.run()
    made = Project(caller.root, study)
    made.results = caller.root / "below/results"
    own, alone = content(made), content(finished)
    assert set(own) == set(alone)
    assert {name for name in alone if own[name] != alone[name]} == set()
    copied = (caller.root / "own.txt").read_text()
    assert copied == (finished.results / "exhibits/tiny/loss_table.csv").read_text()
    assert "Nothing to be done" in caller.run().text
    shutil.rmtree(caller.root / ".snakemake")  # files of the caller's rules are its own business
    assert "Nothing to be done" in caller.run().text


def test_no_checkout_no_module(tmp_path, study):
    """Snakemake can fetch a Snakefile from a server: the library would not come with it."""
    caller = calling(tmp_path, study, "")
    (tmp_path / "code {c}" / "scripts").rename(tmp_path / "scripts")
    assert "miatlas: its library is found in a checkout only" in caller.fail().text


def listing(folder) -> set[str]:
    files = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)) for path in files}


@pytest.fixture
def odd(tmp_path) -> Project:
    """A study of signals of other software, code and working directory below odd paths."""
    root = tmp_path / ODD
    root.mkdir()
    attacks = ["loss"]
    shown = {"paper": "P", "title": "T", "audits": ["mine"], "attacks": attacks}
    study = {
        "study": "odd",
        "cohorts": {"mine": {"signals": f"{ODD}.h5"}},
        "attacks": {"loss": {}},
        "audits": {"mine": {"target": "mine", "attacks": attacks}},
        "exhibits": {
            "curve": {**shown, "figure": "roc"}, "table": {**shown, "table": "summary"},
        },
    }  # fmt: skip
    code = new_project(root / "code", study)
    (root / "venv").symlink_to(sys.prefix)
    (root / "here").mkdir()
    project = Project(root / "here", study)
    simulated(project.root / f"{ODD}.h5", models=8, examples=50)
    project.command = lambda *arguments, cores=2: [
        str(root / "venv/bin/python"), "-m", "snakemake",
        "--snakefile", str(code.root / "Snakefile"), "--directory", str(project.root),
        "--configfile", str(project.root / "study.yaml"), "--cores", str(cores), *arguments,
    ]  # fmt: skip
    return project


def test_a_job_runs_below_a_path_with_odd_letters(odd):
    odd.run("results/cohorts/mine/signals/0.h5")
    assert odd.made() == {"cohorts/mine/signals/0.h5"}


@pytest.mark.slow
def test_all_of_it_runs_below_a_path_with_odd_letters(odd):
    code = odd.root.parent / "code"
    before = listing(code)
    odd.run()
    assert {"exhibits/odd/curve.svg", "exhibits/odd/table.html"} <= odd.made()
    assert odd.plan() == set()
    odd.run("--report", "report {r}.html")
    assert (odd.root / "report {r}.html").is_file()
    assert listing(code) == before  # a checkout that cannot be written to is good enough


@pytest.mark.parametrize("writable", [True, False])
def test_make_gives_snakemake_a_place_for_its_cache(tmp_path, writable):
    home = tmp_path if writable else Path("/proc/nobody")
    outer = {
        "XDG_CACHE_HOME",
        "MAKEFLAGS",
        "MAKEOVERRIDES",
        "MAKELEVEL",
    }  # tests run under make, too
    rest = {key: value for key, value in os.environ.items() if key not in outer}
    command = ["make", "--eval", "show: ; @echo cache=$$XDG_CACHE_HOME", "show"]
    run = subprocess.run(
        command, cwd=REPOSITORY, env=rest | {"HOME": str(home)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    given = run.stdout.strip()
    assert given == "cache=" if writable else given == f"cache={REPOSITORY}/.snakemake/cache"
