"""Jobs of one thread are forks: what their scripts import is imported once a run."""

import pytest

IMPORTED = """
with open("imported.txt", "a") as file:
    file.write(f"{__name__}\\n")


def main("""
SAID = """
    import os
    import tempfile
    threads = sorted(name for name in os.environ if name.endswith("_NUM_THREADS"))
    print(os.environ["OMP_NUM_THREADS"], tempfile.gettempdir(), threads)
    role = assign"""
WAITS = """
    import time
    from pathlib import Path
    for _ in range(600):
        time.sleep(0.0 if Path("begun.txt").exists() else 0.1)
    assert Path("begun.txt").exists(), "nobody trains until the roles are there"
    role = assign"""
BEGINS = 'open("begun.txt", "w").close()'
ROLES = ["results/cohorts/one/roles.h5", "results/cohorts/two/roles.h5"]
MODELS = "results/cohorts/one/models/0.safetensors"


def imports(project, *arguments):
    """How often a script was imported, and how often run, to make two cohorts' roles."""
    project.edit("assign_roles.py", "\n\ndef main(", f"\n{IMPORTED}")
    project.run(*ROLES, *arguments)
    names = (project.root / "imported.txt").read_text().split()
    return names.count("assign_roles"), names.count("__main__")


def test_two_jobs_import_a_script_once(project):
    assert imports(project) == (1, 2)


def begun(project, *arguments):
    """Say whether training's imports were begun by a run."""
    project.edit("train_models.py", "import numpy as np", f"{BEGINS}\nimport numpy as np")
    project.run(*arguments)
    return (project.root / "begun.txt").exists()


def test_torch_is_not_imported_where_nobody_trains(project):
    assert not begun(project, ROLES[0])


@pytest.mark.slow
def test_torch_is_not_imported_ahead_of_jobs_that_are_no_forks(project):
    """A job with a GPU imports it itself, after the roles, at which this run ends."""
    project.edit(
        "assign_roles.py", "\n    role = assign", "\n    raise ValueError\n    role = assign"
    )
    project.edit("train_models.py", "import numpy as np", f"{BEGINS}\nimport numpy as np")
    project.fail(MODELS, "--set-resources", "train_models:gpu=1")
    assert not (project.root / "begun.txt").exists()


def test_training_imports_torch_while_other_jobs_run(project):
    project.edit("assign_roles.py", "\n    role = assign", WAITS)
    assert begun(project, MODELS)


@pytest.mark.slow
@pytest.mark.parametrize("own", ["threads=2", "resources=assign_roles:gpu=1"])
def test_a_job_with_more_threads_or_a_gpu_is_a_process_of_its_own(project, own):
    option, _, value = own.partition("=")
    value = f"assign_roles={value}" if option == "threads" else value
    assert imports(project, f"--set-{option}", value) == (0, 2)


@pytest.mark.slow
def test_jobs_have_the_environment_that_snakemake_gives_them(project, tmp_path):
    project.edit("assign_roles.py", "\n    role = assign", SAID)
    said = {}
    for how, more in {"fork": [], "alone": ["--set-resources", "assign_roles:gpu=1"]}.items():
        folder = f"--default-resources=tmpdir='{tmp_path}'"
        project.run(ROLES[0], "--force", folder, *more)
        said[how] = (project.results / "logs/assign_roles/one.log").read_text().splitlines()[0]
    assert said["fork"].startswith(f"1 {tmp_path} ")
    assert said["fork"] == said["alone"]


@pytest.mark.slow
def test_a_job_that_fails_is_told_as_one_of_its_own_process_is(project):
    project.edit(
        "assign_roles.py",
        "\n    role = assign",
        '\n    raise ValueError("no roles")\n    role = assign',
    )
    assert "miatlas: no roles\n" in project.fail(ROLES[0]).text
    told = project.fail(ROLES[0], "--set-resources", "assign_roles:gpu=1").text
    assert "non-zero exit status 1" in told
    assert "non-zero exit status 1" in project.fail(ROLES[0]).text
