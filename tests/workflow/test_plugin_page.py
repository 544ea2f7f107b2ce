"""The site's example of a new attack does what the page says."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path("tests/attacks/test_attacks_all.py")
REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "plugins.md"


def example() -> tuple[str, str]:
    """Return the path and the code of the attack that the page adds."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(r"`(scripts/miatlas/attacks/\w+\.py)`:\n\n```python\n(.*?)```", text, re.S)
    return found[1], found[2]


@pytest.mark.slow
def test_an_attack_is_one_file_and_a_line_in_the_study(done):
    path, code = example()
    label = Path(path).stem
    assert len(code.strip().splitlines()) <= 20
    (done.root / path).write_text(code)
    done.study["attacks"][label] = {}
    done.study["audits"]["one"]["attacks"].append(label)
    done.study["exhibits"]["curves"]["attacks"].append(label)
    own = {f"audits/one/{label}.h5", f"audits/one/{label}.metrics.json"}
    pages = {f"exhibits/tiny/{name}.html" for name in ("answer", "provenance")}
    assert done.plan() == own | pages | {"exhibits/tiny/curves.svg"}
    done.run()
    measured = json.loads((done.results / f"audits/one/{label}.metrics.json").read_text())
    assert measured["options"] == {"queries": 1}
    assert label in (done.results / "exhibits/tiny/curves.csv").read_text()


def test_the_attack_has_what_is_asked_of_every_attack(project):
    path, code = example()
    (project.root / path).write_text(code)
    (project.root / TESTS).parent.mkdir(parents=True)
    for file in (TESTS, TESTS.with_name("fits.py")):
        shutil.copy2(REPOSITORY / file, project.root / file)
    asked = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", TESTS]
    only = [*asked, "-k", Path(path).stem]  # it is a failure, too, if there is none
    said = subprocess.run(only, cwd=project.root, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout
