"""Files of a user's own as modules: with neighbours of their own, and faults told in a line."""

import sys

import pytest

from miatlas.running import plugins


def written(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return str(folder / f"{next(iter(files))}.py")


def test_a_name_is_a_module_of_the_library_and_a_path_a_file(tmp_path):
    assert plugins.module("attacks", "loss").__name__ == "miatlas.attacks.loss"
    found = plugins.module("attacks", written(tmp_path, loss="X = 3\n"))
    assert found.X == 3
    assert found.__name__.endswith(".loss")
    assert plugins.module("attacks", str(tmp_path / "loss.py")) is found


def test_neighbours_of_the_same_name_are_each_files_own(tmp_path):
    places = {}
    for word in ("a", "b"):
        files = {"mine": "import near\nX = near.X\n", "near": f"X = {word!r}\n"}
        places[word] = written(tmp_path / word, **files)
    before = list(sys.path)
    found = {word: plugins.module("attacks", places[word]).X for word in places}
    assert found == {"a": "a", "b": "b"}
    assert "near" not in sys.modules
    assert sys.path == before  # which Snakemake hands to every job


def test_a_neighbour_is_found_when_a_function_runs_and_hides_no_other(tmp_path):
    text = "import json\ndef f():\n    import later\n    return later.X, json.dumps(1)\n"
    path = written(tmp_path, lazy=text, later="X = 4\n", json="dumps = None\n")
    assert plugins.module("attacks", path).f() == (4, "1")
    sys.modules.pop("later")


FAULTS = {
    "syntax": ({"mine": "\ndef f(:\n"}, "mine.py, line 2: SyntaxError: "),
    "a neighbour's": ({"mine": "\nimport close\n", "close": "x ="}, "mine.py, line 2: SyntaxError"),
    "a name": ({"mine": "x = 1\ny = z\n"}, "mine.py, line 2: NameError: name 'z' is not defined"),
    "two lines": ({"mine": "raise ValueError('a\\nb')"}, "mine.py, line 1: ValueError: a b"),
    "no module": ({"mine": "import nowhere_"}, "line 1: ModuleNotFoundError: No module named 'now"),
}


@pytest.mark.parametrize(("files", "said"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_imported_is_told_in_one_line_with_its_place(tmp_path, files, said):
    before = set(sys.modules)
    with pytest.raises(ValueError, match=r"\A.*\Z") as caught:
        plugins.module("attacks", written(tmp_path, **files))
    assert str(tmp_path) in str(caught.value)
    assert said in str(caught.value)
    assert not {name for name in set(sys.modules) - before if "plugin_" in name}
