"""What a user's files are: their content, read once as long as nothing happens to them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from miatlas.running import file_digests as module
from miatlas.running.file_digests import of_files

SCRIPTS = Path(module.__file__).parents[2]


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Every test starts as a new process does; files count as settled at once."""
    module.KNOWN.clear()
    monkeypatch.setattr(module, "SETTLED", -1)


def of(*paths):
    """The digest that a new run finds."""
    module.of_file.cache_clear()
    return of_files(*paths)


def written(path, text="text"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_content_counts_and_neither_name_nor_time(tmp_path):
    one, two = written(tmp_path / "one.npz"), written(tmp_path / "a b{c}/two")
    os.utime(two, (1e9, 1e9))
    assert of(one) == of(two)
    assert of(written(tmp_path / "three", "texT")) != of(one)
    assert of() == ""


def test_every_file_counts_and_so_does_their_order(tmp_path):
    one, two = written(tmp_path / "one", "1"), written(tmp_path / "two", "2")
    assert len({of(one), of(two), of(one, two), of(two, one), of(one, one)}) == 5


@pytest.mark.parametrize("many", [0, 10])
def test_a_folder_is_what_its_files_are(tmp_path, monkeypatch, many):
    monkeypatch.setattr(module, "MANY", many)
    folder, same = tmp_path / "images", tmp_path / "elsewhere"
    for place in (folder, same):
        written(place / "cat/1.png"), written(place / "dog/2.png", "other")
    before = of(folder)
    assert of(same) == before
    written(folder / "dog/2.png", "longer than before")
    longer = of(folder)
    written(folder / "dog/3.png")
    more = of(folder)
    (folder / "cat/1.png").rename(folder / "dog/1.png")
    assert len({before, longer, more, of(folder)}) == 4


def test_of_a_few_images_one_that_looks_the_same_counts(tmp_path):
    image = written(tmp_path / "images/cat/1.png", "text")
    before = of(tmp_path / "images")
    written(image, "texT")
    os.utime(image, (1e9, 1e9))
    assert of(tmp_path / "images") != before


def test_a_file_is_read_once(tmp_path, monkeypatch):
    path, read, digest = written(tmp_path / "x"), [], module.hashlib.file_digest
    counted = lambda *what: read.append(what) or digest(*what)  # noqa: E731
    monkeypatch.setattr(module.hashlib, "file_digest", counted)
    assert of(path) == of(path) == of(path)
    assert len(read) == 1


CHANGES = {
    "in place": lambda path: path.write_text("texT"),
    "by another": lambda path: os.replace(written(path.with_name("new"), "texT"), path),
}


@pytest.mark.parametrize("times", [True, False], ids=["its times kept", "newer"])
@pytest.mark.parametrize("replace", CHANGES.values(), ids=CHANGES)
def test_other_content_of_the_same_size_is_seen(tmp_path, replace, times):
    path = written(tmp_path / "x")
    before, facts = of(path), path.stat()
    time.sleep(0.02)  # longer than the kernel's clock stands still
    replace(path)
    if times:
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert of(path) != before


def test_what_has_just_changed_is_read_again(tmp_path, monkeypatch):
    """The kernel's clock may stand still between two changes: such marks are not kept."""
    monkeypatch.setattr(module, "SETTLED", 60)
    of(written(tmp_path / "x"))
    assert module.KNOWN == {}


def test_what_is_not_there_is_no_content(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        of(tmp_path / "gone")


RUN = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from miatlas.running import file_digests as module
from miatlas.running.kept import remember
module.SETTLED = -1
read, digest = [], module.hashlib.file_digest
module.hashlib.file_digest = lambda *what: read.append(what) or digest(*what)
remember(module.KNOWN, Path("kept.json"))
print(module.of_files("data"), len(read))
"""


def test_the_next_run_reads_what_changed(tmp_path):
    def run():
        command = [sys.executable, "-c", RUN, str(SCRIPTS)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.split()

    written(tmp_path / "data/one"), written(tmp_path / "data/two")
    first, second = run(), run()
    assert (first[1], second[1]) == ("2", "0")
    written(tmp_path / "data/two", "new")
    third = run()
    assert third[1] == "1"
    assert first[0] == second[0] != third[0]
    (tmp_path / "kept.json").write_text('{"x": 3, "y": [1, ')
    assert run() == [third[0], "2"]
