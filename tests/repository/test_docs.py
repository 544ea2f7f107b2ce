"""The pages: short enough, their links lead somewhere, their commands are ones that tests run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
MADE = {"attacks/index.md"}  # by docs/hooks.py


def text(page):
    return page.read_text(encoding="utf-8")


def test_the_readme_is_short():
    assert len(text(README).splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_are_there(page):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|src=\"([^\"]+)\"", text(page))
    for target in (link or picture for link, picture in targets):
        if not target.startswith("https://") and target not in MADE:
            assert (page.parent / target).exists(), target


def test_every_page_is_in_the_navigation():
    listed = re.findall(r": (\w+\.md)$", text(ROOT / "mkdocs.yml"), re.M)
    assert sorted(listed) == sorted(page.name for page in PAGES if page != README)


def test_every_study_is_in_the_list_of_studies():
    page = text(ROOT / "docs" / "studies.md")
    for study in sorted((ROOT / "config").glob("*.yaml")):
        assert f"config/{study.name}" in page, study.name


def commands():
    """Every line of the pages that a reader would type."""
    blocks = {p.name: re.findall(r"^```sh\n(.*?)^```", text(p), re.M | re.S) for p in PAGES}
    lines = [
        (name, line) for name, found in blocks.items() for b in found for line in b.splitlines()
    ]
    return [
        (name, line.split("#")[0].strip()) for name, line in lines if line.split("#")[0].strip()
    ]


@pytest.mark.parametrize(("page", "command"), commands())
def test_commands_are_understood(page, command):
    """make knows the target and its files; all else is run by tests of its own.

    Options of scripts stand in these, or are Snakemake's, to which they hand them on.
    """
    program, *words = command.split()
    assert program in ("make", "snakemake", "python", ".venv/bin/python"), command
    for file in re.findall(r"config/[\w.]+", command):
        assert (ROOT / file).is_file(), file
    command = command.replace(
        "mine/audit.yaml", "config/config.yaml"
    )  # the reader's own, made before
    if program == "make":
        dry = subprocess.run(
            f"make --dry-run --always-make {command.removeprefix('make')}", shell=True, cwd=ROOT,
            text=True, capture_output=True, check=False,
        )  # fmt: skip
        assert dry.returncode == 0, dry.stderr
    else:
        said = subprocess.run([sys.executable, "-m", "snakemake", "--help"], text=True,
                              capture_output=True, check=True).stdout  # fmt: skip
        said += text(ROOT / words[0]) if program.endswith("python") else ""
        for option in (word for word in words if word.startswith("--")):
            assert option in said, option


def test_the_readme_s_own_study_is_a_study():
    from miatlas.study.reading import read

    whole = next(b for b in re.findall(r"^```yaml\n(.*?)^```", text(README), re.M | re.S)
                 if "study:" in b)  # fmt: skip
    study = read(yaml.safe_load(whole))
    assert study["cohorts"]["mine"]["models"] == 32


def test_the_recipe_for_pictures_is_one(tmp_path):
    """And its shadow models can grow as the page says."""
    from miatlas.study.reading import read

    page = text(ROOT / "docs" / "own.md")
    (block,) = [b for b in re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S) if "NHWC" in b]
    (tmp_path / "network.py").write_text("def build(shape, classes):\n    return None\n")
    audits = {"mine": {"target": "target", "shadow": "shadow", "attacks": ["base"]}}
    given = yaml.safe_load(block) | {"study": "s", "audits": audits}
    assert read(given, [tmp_path])["recipes"]["mine"]["augmentation"]["name"] == "mirror_shift"
    assert "`group: [4, 4, 8]` and `models: 16`" in page
    given["cohorts"]["shadow"] |= {"models": 16}
    given["cohorts"]["shadow"]["design"]["group"] = [4, 4, 8]
    assert read(given, [tmp_path])["cohorts"]["shadow"]["models"] == 16
