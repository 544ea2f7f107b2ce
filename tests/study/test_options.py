"""Options read from signatures: every kind of annotation, its defaults and its refusals."""

import ast
from datetime import date
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miatlas import options
from miatlas.leakage import metrics
from miatlas.leakage.levels import LEVELS, Level
from miatlas.options import REQUIRED, between, declared, inputs, nonnegative, positive
from miatlas.study.checking import checked

SOURCE = '''
"""A module that must not be imported."""
import nothing_of_this_name
from typing import Annotated, Literal

raise RuntimeError("imported")

def other(*, count: str = "no"): ...

class Nested:
    def choose(self, *, wrong: int = 0): ...

def choose(
    first, second=None,
    *,
    needed: int,
    count: int = 3,
    share: float = 0.5,
    flag: bool = False,
    word: str = "a",
    widths: list[int] = [128, 64],
    sizes: list[Annotated[int, positive]] = [1],
    cuts: list[float] = [0.5],
    table: dict = {"name": "x"},
    kind: Literal["mean", "median"] = "mean",
    size: Annotated[int, positive] = 1,
    rate: Annotated[float, nonnegative] = 0.0,
    part: Annotated[float, between(0, 1)] = -0.0,
    limit: Annotated[int, positive] | None = None,
    either: int | str | None = None,
    free=None,
):
    ...
'''

WRONG = [
    ("needed", "3", "must be of type int"), ("needed", True, "must be of type int"),
    ("needed", 3.0, "must be of type int"),
    ("share", "half", "must be of type float$"), ("share", True, "must be of type float"),
    ("flag", 1, "must be of type bool"), ("flag", "no", "must be of type bool"),
    ("word", 7, "must be of type str, and YAML reads it as a number: quote it"),
    ("table", [1], "must be of type dict"),
    ("widths", 128, "must be a list of int"), ("widths", [128, "64"], "must be a list of int"),
    ("widths", [1.5], "must be a list of int"), ("cuts", ["a"], "must be a list of float"),
    ("sizes", [1, 0], "has 0, which must be positive"), ("sizes", ["1"], "must be a list of int$"),
    ("kind", "mode", "must be one of mean, median"), ("size", 0, "must be positive"),
    ("size", "1", "must be of type int"), ("rate", -1e-9, "must not be negative"),
    ("rate", float("nan"), "must be finite"), ("part", float("nan"), "must be finite"),
    ("share", float("inf"), "must be finite"),
    ("rate", "1e-3", r".*YAML takes 1e-3 for text: write 0\.001$"),
    ("rate", "1e-7", r".*write 1\.0e-07$"), ("rate", "0,3", r".*write 0\.3$"),
    ("cuts", ["0,5"], r"must be a list of float, .* write 0\.5$"),
    ("word", True, ".*YAML reads it as true or false: quote it"),
    ("word", date(2024, 1, 31), ".*YAML reads it as a date: quote it"),
    ("part", 1.01, r"must lie in \[0, 1\]"), ("limit", -1, "must be positive or must be null"),
    ("limit", "a", "must be of type int or must be null"),
    ("either", 1.5, "must be of type int or must be of type str or must be null"),
]  # fmt: skip
RIGHT = [
    ("needed", -3), ("share", 1), ("share", -1.5), ("flag", True), ("widths", []),
    ("widths", [1, 2]), ("sizes", [3, 1]), ("sizes", []), ("cuts", [1, 0.5]), ("table", {}),
    ("kind", "median"), ("size", 2),
    ("rate", 0), ("part", 0), ("part", 1), ("limit", None), ("limit", 3), ("either", "x"),
    ("either", None), ("free", object), ("free", [1, "a"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "module.py"
    path.write_text(SOURCE)
    return path


def test_options_are_the_keyword_only_parameters_with_their_defaults(source):
    found = declared(source, "choose")
    assert list(found) == ["needed", "count", "share", "flag", "word", "widths", "sizes", "cuts",
                           "table", "kind", "size", "rate", "part", "limit", "either",
                           "free"]  # fmt: skip
    assert found["needed"].default is REQUIRED
    defaults = {name: option.default for name, option in found.items() if name != "needed"}
    assert defaults == {
        "count": 3, "share": 0.5, "flag": False, "word": "a", "widths": [128, 64], "sizes": [1],
        "cuts": [0.5], "table": {"name": "x"}, "kind": "mean", "size": 1, "rate": 0.0, "part": 0.0,
        "limit": None, "either": None, "free": None,
    }  # fmt: skip
    assert inputs(source, "choose") == ("first", "second")
    assert list(declared(source, "other")) == ["count"]


@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_right_values_are_taken_as_they_are(source, name, value):
    taken = checked({"needed": 1, name: value}, declared(source, "choose"), "here")[name]
    assert taken == value
    whole = isinstance(value, int) and name in ("share", "rate", "part")
    assert type(taken) is (float if whole else type(value))  # 1 and 1.0 are one setting


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_wrong_values_are_refused_with_the_place_the_key_and_what_is_allowed(
    source, name, value, message
):
    with pytest.raises(ValueError, match=f"recipes.a: option '{name}' is .*, but it {message}"):
        checked({"needed": 1, name: value}, declared(source, "choose"), "recipes.a")


@pytest.mark.parametrize(("value", "message"), [
    (0, "it must be positive"), ([4, 0], "it has 0, which must be positive"),
    ([4, "a"], "it must be a list of int"),
    ("a", "it must be of type int or must be a list of int"),
])  # fmt: skip
def test_of_several_kinds_the_one_that_is_meant_is_told_of(value, message):
    whole = Annotated[int, options.positive]
    kind = options.Option(whole | list[whole] | None, None)
    with pytest.raises(ValueError, match=f"here: option 'key' is .*, but {message}"):
        checked({"key": value}, {"key": kind}, "here")


def test_unknown_and_missing_keys_are_refused(source):
    found = declared(source, "choose")
    message = r"here: unknown option 'cuont' .did you mean 'count'..; allowed: needed, count, share"
    with pytest.raises(ValueError, match=message):
        checked({"needed": 1, "cuont": 3}, found, "here")
    for without in ({"count": 3}, {"needed": None}):  # null: not there
        with pytest.raises(ValueError, match="here: option 'needed' is required"):
            checked(without, found, "here")
    with pytest.raises(ValueError, match="here: unknown option 'a'; allowed: none"):
        checked({"a": 3}, {}, "here")
    with pytest.raises(ValueError, match=r"module\.py: no function 'chose'"):
        declared(source, "chose")


def test_defaults_are_not_shared(source):
    found = declared(source, "choose")
    checked({"needed": 1}, found, "here")["widths"].append(7)
    assert checked({"needed": 1}, found, "here")["widths"] == [128, 64]


def accepts(kind, value):
    try:
        checked({"key": value}, {"key": options.Option(kind, REQUIRED)}, "here")
    except ValueError:
        return False
    return True


NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)


@given(NUMBERS, st.integers(-3, 3), st.integers(-3, 3))
def test_ranges(value, low, high):
    assert accepts(Annotated[float, positive], value) == (value > 0)
    assert accepts(Annotated[float, nonnegative], value) == (value >= 0)
    assert accepts(Annotated[float, between(low, high)], value) == (low <= value <= high)


@given(st.sampled_from(LEVELS) | st.floats(0, 2) | st.integers(0, 2))
def test_levels_are_those_that_are_measured(value):
    assert accepts(Level, value) == (value in metrics.evaluate.__defaults__[0])


LIBRARY = Path(options.__file__).parent
DECLARING = [
    (path, function)
    for package, function in [("training/architectures", "build"), ("attacks", "score"),
                              ("exhibits/figures", "draw"), ("exhibits/tables", "tabulate"),
                              ("populations", "load"), ("designs", "draw")]
    for path in sorted((LIBRARY / package).glob("[!_]*.py"))
    if f"\ndef {function}(" in path.read_text()
] + [
    (LIBRARY / f"{module}.py", node.name)
    for module in ("training/optimization",)
    for node in ast.parse((LIBRARY / f"{module}.py").read_text()).body
    if isinstance(node, ast.FunctionDef) and node.args.kwonlyargs
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "function"), DECLARING, ids=lambda v: v.stem if isinstance(v, Path) else v
)
def test_every_default_of_the_library_is_one_of_its_own_kind(path, function):
    for name, option in declared(path, function).items():
        if option.default is not REQUIRED:
            assert checked({}, {name: option}, "here") == {name: option.default}
