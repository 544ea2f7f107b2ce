"""One set of versions: pyproject's bounds, the conda files' and the locked ones."""

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CONDA = {"pytorch": "torch", "matplotlib-base": "matplotlib"}  # names of conda-forge


def bounds():
    """What pyproject demands: name -> specifiers, of Python too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    pairs = [(Requirement(entry).name, Requirement(entry).specifier) for entry in wanted]
    python = Requirement(f"python{project['project']['requires-python']}").specifier
    return dict(pairs) | {"python": python}


def locked(file="requirements.lock"):
    """Every requirement of a lock file, with its markers."""
    lines = (ROOT / "envs" / file).read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", " ", "-"))]


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_conda_files_have_the_bounds_of_pyproject(path):
    wanted = bounds()
    entries = [Requirement(entry) for entry in yaml.safe_load(path.read_text())["dependencies"]]
    assert len(entries) > 3
    for entry in entries:
        assert entry.specifier == wanted[CONDA.get(entry.name, entry.name)], entry.name


def test_every_rule_names_a_conda_file_that_exists():
    named = {
        line.strip().strip('"').removeprefix("../envs/")
        for path in (ROOT / "rules").glob("*.smk")
        for line in path.read_text().splitlines()
        if "/envs/" in line
    }
    assert named == {path.name for path in (ROOT / "envs").glob("*.yaml")}


def test_locked_versions_lie_within_the_bounds():
    pins = locked()
    for name, specifier in bounds().items():
        if name == "python":
            continue
        own = [pin for pin in pins if canonicalize_name(pin.name) == canonicalize_name(name)]
        assert own, f"{name} is not locked"
        for pin in own:
            (exact,) = pin.specifier
            assert exact.operator == "=="
            assert specifier.contains(exact.version), f"{name} {exact.version}"


def test_the_slurm_plugin_is_locked_apart_from_the_default_environment():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = map(Requirement, project["optional-dependencies"]["slurm"])
    pins = {pin.name: next(iter(pin.specifier)).version for pin in locked("slurm.lock")}
    assert wanted.specifier.contains(pins[wanted.name])
    assert not [pin.name for pin in locked() if "slurm" in pin.name]
    assert all(name.startswith(wanted.name) for name in pins)  # the rest is in the default lock
