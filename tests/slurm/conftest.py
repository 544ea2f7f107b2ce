"""A real Slurm cluster of one node, and projects that run there through the profile for Slurm."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from cluster import HERE, PYTHON, TARGET, ClusterProject, control, stop_all
from projects import TINY, change, new_project

BUDGET = 420  # seconds for everything here; then what still runs is stopped and its test fails


def pytest_collection_modifyitems(items):
    """Skip what is here where nobody asked for it: it installs packages and starts daemons."""
    why = None
    if not os.environ.get("MIATLAS_SLURM"):
        why = "installs and starts a Slurm cluster: ask for it with `make test-slurm`"
    elif os.getuid() != 0 or shutil.which("apt-get") is None:
        why = "needs root on Debian or Ubuntu, to install and start a Slurm cluster"
    elif not PYTHON.exists():
        why = f"there is no {PYTHON}: `make test-slurm` makes it"
    for item in items:
        if why and HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=why))


def pytest_terminal_summary(terminalreporter):
    """Say it loudly where these tests were asked for but skipped: it would look like a pass."""
    if not os.environ.get("MIATLAS_SLURM"):
        return
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "tests/slurm" in r.nodeid]
    if skipped:
        line = f"NOT TESTED ON A SLURM CLUSTER: {len(skipped)} tests skipped"
        terminalreporter.write_sep("!", line, red=True, bold=True)
        for reason in sorted({str(report.longrepr[-1]) for report in skipped}):
            terminalreporter.write_line(reason)


@pytest.fixture(scope="session")
def cluster():
    """The cluster, for as long as the tests take; returns when the last of them must be over."""
    deadline = time.monotonic() + BUDGET
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=1))
    try:
        control("slurm-up")
        yield deadline
    finally:
        stop_all()
        control("slurm-down")


@pytest.fixture(scope="session")
def prepared(cluster, tmp_path_factory) -> Path:
    """The tiny study, its data and the membership of one block made on this machine."""
    project = new_project(tmp_path_factory.mktemp("prepared") / "miatlas", yaml.safe_load(TINY))
    project.run("results/cohorts/one/membership/0.h5")
    return project.root


@pytest.fixture(scope="session")
def projects(prepared, tmp_path_factory) -> dict[str, ClusterProject]:
    """Copies of the prepared project, by what is to happen to them."""

    def new(name, **changes):
        root = tmp_path_factory.mktemp(name) / "miatlas"
        shutil.copytree(prepared, root)
        study = yaml.safe_load(TINY)
        for path, value in changes.items():
            change(study, path, value)
        return ClusterProject(root, study)

    found = {name: new(name) for name in ("whole", "cancelled", "refused")}
    found["failing"] = new("failing", **{"recipes.plain.optimizer.lr": 1e30})
    begin = "    torch.set_num_threads(threads)\n"
    said = "    import os; print('GPU', os.environ.get('CUDA_VISIBLE_DEVICES'))\n"
    found["whole"].edit("train_models.py", begin, begin + said)
    for name, seconds in {"overtime": 300, "interrupted": 300, "outage": 15}.items():
        found[name] = new(name)
        found[name].edit(
            "train_models.py", begin, f"{begin}    import time; time.sleep({seconds})\n"
        )
    found["late"] = new("late")  # the first time it is tried
    late = "    import os, time; os.path.exists('tried') or (os.mkdir('tried'), time.sleep(300))\n"
    found["late"].edit("train_models.py", begin, begin + late)
    rules = found["late"].root / "rules" / "models.smk"
    text = rules.read_text()
    stated = 'runtime=minutes_by("train_models/{cohort}", 720)'
    assert text.count(stated) == 1
    rules.write_text(text.replace(stated, "runtime=growing(1)"))
    return found


@pytest.fixture(scope="session")
def started(projects) -> dict[str, subprocess.Popen]:
    """All but one of the projects, running at the same time: most of it is waiting."""
    return {
        "cancelled": projects["cancelled"].start(TARGET),
        "interrupted": projects["interrupted"].start(TARGET),
        "failing": projects["failing"].start(TARGET),
        "late": projects["late"].start(TARGET),
        "refused": projects["refused"].start(
            "results/cohorts/one/membership/1.h5",
            *("--default-resources", "slurm_partition=none", "mem_mb=1000", "runtime=5"),
        ),
        "overtime": projects["overtime"].start(
            TARGET, "--retries", "0", "--set-resources", "train_models:runtime=1"
        ),
        "whole": projects["whole"].start("--resources", "gpu=2"),
    }
