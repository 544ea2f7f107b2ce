"""The library is a house: a room a stage, and a room imports only rooms above it."""

import ast
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[2] / "scripts" / "miatlas"
ROOMS = [  # in the order of the stages, each below those that it may import
    "options", "running", "leakage", "designs", "populations", "training", "signals", "audits",
    "bounds", "attacks", "exhibits", "study",
]  # fmt: skip


def imported(path):
    """Return the rooms that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("miatlas.")}
    return found


def modules(room):
    return [LIBRARY / f"{room}.py"] if room == "options" else sorted((LIBRARY / room).rglob("*.py"))


def test_every_file_is_in_a_room():
    there = {path.stem for path in LIBRARY.glob("[!_]*")}
    assert there == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_above_it(room):
    above = set(ROOMS[: ROOMS.index(room) + 1])
    for path in modules(room):
        assert imported(path) <= above, path.relative_to(LIBRARY)


def test_imports_are_found_wherever_they_stand(tmp_path):
    file = tmp_path / "module.py"
    file.write_text(
        "def f():\n    from miatlas.study import jobs\n    import miatlas.attacks.loss\n"
    )
    assert imported(file) == {"study", "attacks"}
    file.write_text("from miatlas import options\nimport numpy\n")
    assert imported(file) == {"options"}


def test_the_folder_of_attacks_lists_attacks():
    for path in sorted((LIBRARY / "attacks").glob("[!_]*.py")):
        assert "\ndef score(" in path.read_text(), path.name
