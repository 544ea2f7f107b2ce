"""A study's jobs, listed where Snakemake is and run where it is not, make the same files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_repeatable import content


def python(project, script: str, *arguments: str, bare: Path | None = None):
    """Run a script in the project's folder, where Snakemake is; or, with `bare`, is not."""
    path = {"PYTHONPATH": str(bare)} if bare else {}
    return subprocess.run(
        [sys.executable, str(project.root / "scripts" / script), *arguments],
        cwd=project.root, env=os.environ | path, capture_output=True, text=True,
    )  # fmt: skip


def listed(project) -> Path:
    file = project.root / "jobs.json"
    said = python(project, "list_jobs.py", str(file), *project.command()[3:])
    assert said.returncode == 0, said.stderr
    return file


def without_snakemake(folder: Path) -> Path:
    """Return a folder that hides Snakemake and what comes with it from Python."""
    (folder / "sitecustomize.py").write_text(
        "from importlib.machinery import PathFinder\n"
        "find = PathFinder.find_spec\n"
        "hidden = ('snakemake', 'pydantic', 'yaml')\n"
        "PathFinder.find_spec = lambda name, *more: (\n"
        "    None if name.split('.')[0] in hidden else find(name, *more))\n"
    )
    return folder


@pytest.mark.slow
def test_jobs_run_without_snakemake_make_the_same_files(finished, project, tmp_path):
    file, bare = listed(project), without_snakemake(tmp_path)
    said = python(project, "run_jobs.py", str(file), "prepare_population", bare=bare)
    assert said.stdout.count("\n") == 1
    said = python(project, "run_jobs.py", str(file), "query_models", bare=bare)
    assert "roles.h5: the job that makes it was left out" in said.stderr
    said = python(project, "run_jobs.py", str(file), bare=bare)
    assert said.returncode == 0, said.stderr
    made, expected = content(project), content(finished)
    assert len(made) > 40
    assert made == expected
    again = python(project, "run_jobs.py", str(file), bare=bare)
    assert (again.returncode, again.stdout) == (0, "")


def test_jobs_are_listed_in_an_order_in_which_they_can_run(project):
    jobs = json.loads(listed(project).read_text())
    made = set()
    for job in jobs:
        files = [name for name in job["input"]["files"] if name.startswith("results/")]
        assert set(files) <= made, job["rule"]
        made |= set(job["output"]["files"])
    assert {job["rule"] for job in jobs} >= {"train_models", "score_attack", "draw_figure"}
    assert not project.results.exists() or not project.made()
