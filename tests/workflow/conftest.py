"""A small study, run once, of which every test changes its own copy."""

import fcntl
import os
import shutil
import time

import pytest
import yaml
from projects import TINY, Project, new_project


@pytest.fixture
def study() -> dict:
    """The tiny study: two cohorts, three attacks, two audits, five exhibits."""
    return yaml.safe_load(TINY)


@pytest.fixture
def project(tmp_path, study) -> Project:
    """A fresh checkout in which nothing has run."""
    return new_project(tmp_path / "fresh", study)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """The tiny study, run to its end once, by the first worker. Not to be changed: see `done`."""
    parallel = "PYTEST_XDIST_WORKER" in os.environ
    own = tmp_path_factory.getbasetemp()
    root = (own.parent if parallel else own) / "finished"
    with open(f"{root}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if root.exists():
            return Project(root, yaml.safe_load(TINY))
        project = new_project(root.with_name("unfinished"), yaml.safe_load(TINY))
        project.run()
        project.root.rename(root)
    return Project(root, project.study)


@pytest.fixture
def done(finished, tmp_path) -> Project:
    """A copy of the finished tiny study, with Snakemake's records and all times."""
    shutil.copytree(finished.root, tmp_path / "done")
    time.sleep(0.01)  # what a test writes is newer than what was copied
    return Project(tmp_path / "done", yaml.safe_load(TINY))
