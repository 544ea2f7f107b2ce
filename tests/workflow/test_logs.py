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


def told(tmp_path, work, before=""):
    """What the terminal shows of a failing piece of work, whose files are to go to `out`."""
    code = f"import resource, sys\nsys.path.insert(0, {str(REPOSITORY / 'scripts')!r})\n{before}\n"
    code += "from miatlas.running.logs import logged\nwith logged('logs/a.log'):\n    " + work
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1, run.stderr
    assert run.stdout == ""
    message, log, *rest = run.stderr.strip().splitlines()
    assert (log, rest) == ("(log: logs/a.log)", [])
    assert "Traceback" in (tmp_path / "logs/a.log").read_text()
    return message.removeprefix("miatlas: ")


WRITERS = {
    "x.h5": "store.write_h5('out/x.h5', {'a': big}, {})",
    "s.h5": "sliced()",
    "x.safetensors": "store.write_weights('out/x.safetensors', {'a': big}, {})",
    "x.csv": "files.write_csv('out/x.csv', pandas.DataFrame(big))",
    "x.json": "files.write_json('out/x.json', big.tolist())",
}
BIG = """
import numpy, pandas
from miatlas.running import files, store
big = numpy.random.default_rng(0).random((200, 1000))
def sliced():
    parts = [slice(i, i + 100) for i in range(0, 1000, 100)]
    parts = [(part, lambda part=part: {"phi": big[:, part, None]}) for part in parts]
    with store.new_h5("out/s.h5", {}) as file:
        store.fill_by_slices(file, 1000, parts)
"""


@pytest.mark.parametrize(("name", "work"), WRITERS.items(), ids=WRITERS)
def test_a_full_disk_is_told_in_a_line_and_leaves_nothing(tmp_path, name, work):
    """A limit to the size of files fails the writing of their later parts, as a full disk does."""
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
    assert told(tmp_path, work, BIG + limit) == f"out/{name}: File too large"
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", WRITERS)
def test_what_fits_is_written(tmp_path, name):
    assert told(tmp_path, f"{WRITERS[name]}; raise ValueError('done')", BIG) == "done"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "out").write_text("a file where the folder should be")
    assert told(tmp_path, "files.write_text('out/x', '')", BIG) == "out: File exists"
    (tmp_path / "there").mkdir()
    said = told(tmp_path, "files.write_text('there', '')", BIG)
    assert said == "there: Is a directory"


LIMIT = "resource.setrlimit(resource.RLIMIT_AS, (2**35, 2**35))"
TOO_MUCH = {
    "numpy": ("import numpy", "numpy.ones((2**20, 2**20))"),
    "python": ("", "[0] * 2**50"),
    "torch": ("import torch", "torch.ones(2**45)"),
    "cuda": ("import torch", "raise torch.OutOfMemoryError('CUDA out of memory. Tried\\n\\nto')"),
}


@pytest.mark.parametrize(("imports", "work"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_memory_that_runs_out_is_told_in_a_line(tmp_path, imports, work):
    said = told(tmp_path, work, f"{imports}\n{LIMIT}")
    assert said.startswith("not enough memory (")
    assert said.endswith("or a machine with more")


def test_words_are_utf8_whatever_the_locale(tmp_path):
    """What is printed goes to the log as it is, be it a name that the file system got wrong."""
    code = SCRIPT.format(scripts=str(REPOSITORY / "scripts"), failure="ValueError('\\u00b5')")
    code = code.replace('print("words")', "print('\\u03bb \\udce4')")
    run = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code], cwd=tmp_path, check=False,
        env={"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii:replace"},
        capture_output=True,
    )  # fmt: skip
    assert run.returncode == 1
    assert (tmp_path / "logs/a.log").read_text(encoding="utf-8").startswith("λ \\udce4\n")
