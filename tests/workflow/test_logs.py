"""What a script says when it fails: on the terminal as little as helps, in its log all of it."""

import subprocess
import sys

import pytest
from projects import REPOSITORY

SCRIPT = """
import sys
sys.path.insert(0, {scripts!r})
from miatlas.running.logs import logged
with logged("logs/a.log"):
    print("words")
    raise {failure}
"""
SAID = {  # what is raised: whether the terminal shows a traceback, and what it ends with
    "ValueError('x.h5: damaged')": (0, "miatlas: x.h5: damaged\n(log: logs/a.log)\n\n"),
    "KeyboardInterrupt": (0, "miatlas: interrupted\n(log: logs/a.log)\n\n"),
    "RuntimeError('a mistake')": (1, "RuntimeError: a mistake\n"),
}


@pytest.mark.parametrize(("failure", "said"), SAID.items(), ids=SAID)
def test_a_failure_is_told_once(tmp_path, failure, said):
    code = SCRIPT.format(scripts=str(REPOSITORY / "scripts"), failure=failure)
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    tracebacks, ending = said
    assert run.returncode != 0
    assert run.stdout == ""
    assert run.stderr.count("Traceback") == tracebacks
    assert run.stderr.endswith(ending)
    log = (tmp_path / "logs" / "a.log").read_text()
    assert log.startswith("words\nTraceback")
