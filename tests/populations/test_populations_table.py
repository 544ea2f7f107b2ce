"""Tables of a user's own: which column is what, and members as a column or as a second file."""

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import prepare_population
import pytest
import torch

from miatlas.designs.base import Draws
from miatlas.designs.role_assignment import assign
from miatlas.designs.roles import POOL
from miatlas.populations import base, canaries, table
from miatlas.signals.trained_models import examples
from miatlas.study import entries

FRAME = pd.DataFrame(
    {
        "age": [20, 30, 40, 50],
        "town": ["b", "a", "b", "c"],
        "code": [7, 9, 7, 7],
        "note": ["w", "x", "y", "z"],
        "income": [1.5, 2.5, 0.5, 9.0],
        "paid": ["yes", "no", "no", "yes"],
        "used": [1, 0, 1, 0],
        "later": [0, 1, 0, 0],
    }
)
OPTIONS = {"label": "paid", "categorical": ["code"], "drop": ["note"], "member": "used",
           "test": "later"}  # fmt: skip


def write(frame, path):
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)


@pytest.mark.parametrize("name", ["people.csv", "people.parquet"])
def test_columns_are_what_they_are_said_to_be(tmp_path, name):
    write(FRAME, tmp_path / name)
    found = table.load(tmp_path, path=name, **OPTIONS)
    columns = [(c["name"], c["kind"], c["width"]) for c in found.encoding["columns"]]
    assert columns == [("age", "numeric", 1), ("income", "numeric", 1), ("town", "categorical", 3),
                       ("code", "categorical", 2)]  # fmt: skip
    assert found.x[:, :2].tolist() == [[20, 1.5], [30, 2.5], [40, 0.5], [50, 9.0]]
    assert found.x[:, 2:5].tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert found.labels.tolist() == [1, 0, 0, 1]
    assert found.class_names == ["no", "yes"]
    assert found.member.tolist() == [True, False, True, False]
    assert found.test.tolist() == [False, True, False, False]


def test_members_and_others_may_be_two_files(tmp_path):
    """And categories are those of both."""
    frame = FRAME.drop(columns=["used", "later", "note"])
    write(frame[:3], tmp_path / "members.csv")
    write(frame[3:], tmp_path / "others.csv")
    found = table.load(tmp_path, path="members.csv", nonmembers="others.csv", label="paid")
    assert found.member.tolist() == [True, True, True, False]
    assert found.x.shape == (4, 3 + 3)
    part = base.take(found, np.array([3, 0]))
    assert part.member.tolist() == [False, True]


def test_members_are_never_held_out_nor_tested():
    member = np.arange(200) % 2 == 0
    test = np.zeros(200, bool)
    role = assign(test, Draws(1, "", "p"), held_out=0.3, test_fraction=0.2, member=member)
    assert (role[member] == POOL).all()
    assert np.bincount(role[~member]).tolist() == [50, 30, 20]


def test_classes_say_which_there_are_and_in_what_order(tmp_path):
    """As the network's outputs stand, also of those that no example has."""
    write(FRAME.assign(grade=[2, 0, 2, 5]), tmp_path / "people.csv")

    def loaded(label, classes):
        found = table.load(tmp_path, path="people.csv", label=label, classes=classes)
        return found.class_names, found.labels.tolist()

    assert loaded("paid", ["yes", "maybe", "no"]) == (["yes", "maybe", "no"], [0, 2, 2, 0])
    assert loaded("grade", 7) == ([str(c) for c in range(7)], [2, 0, 2, 5])
    assert loaded("grade", ["5", "2", "0"]) == (["5", "2", "0"], [1, 2, 1, 0])
    assert loaded("grade", None) == (["0", "2", "5"], [1, 0, 1, 2])
    for label, classes, said in (
        ("grade", 5, "column 'grade' has '5', which is none of its classes: 0, 1, 2, 3, 4"),
        ("paid", 3, "column 'paid' has 'no', which is none of its classes: 0, 1, 2"),
        ("paid", ["yes"], "column 'paid' has 'no', which is none of its classes: yes"),
        ("paid", ["yes", "no", "yes"], "classes names one twice"),
    ):
        with pytest.raises(ValueError, match=said):
            loaded(label, classes)


def test_whole_numbers_that_a_table_keeps_as_decimals_are_classes(tmp_path):
    write(FRAME.assign(grade=[2.0, 0.0, 2.0, 1.0]), tmp_path / "people.csv")
    found = table.load(tmp_path, path="people.csv", label="grade", classes=4)
    assert (found.class_names, found.labels.tolist()) == (["0", "1", "2", "3"], [2, 0, 2, 1])


@pytest.mark.parametrize(("given", "said"), [
    ([True, "yes"], "must be a list of str, and YAML reads it as true or false"),
    (0, "must be positive"), ("yes", "must be of type int or must be a list of str"),
])  # fmt: skip
def test_classes_that_yaml_reads_otherwise_are_refused(given, said):
    entry = {"source": "table", "path": "people.csv", "label": "paid", "classes": given}
    with pytest.raises(ValueError, match=rf"mine: option 'classes' is .*{said}"):
        entries.population(entry, "populations.mine")


WRONG = {
    "no label": ({"label": "pays"}, "has no column 'pays'; it has age"),
    "a mask": ({"member": "age"}, "column 'age' is to hold 0 and 1"),
    "no classes": ({"label": "income"}, "column 'income' holds numbers that are no classes"),
    "a missing file": ({"nonmembers": "gone.csv"}, "missing file gone.csv"),
}


@pytest.mark.parametrize(("options", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_meant_is_refused(tmp_path, options, said):
    write(FRAME, tmp_path / "people.csv")
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(said)):
        table.load(tmp_path, path="people.csv", **(OPTIONS | options))


def commas(frame, *names):
    """Return the table with decimal commas in these columns, as other languages write numbers."""
    return frame.assign(
        **{name: frame[name].map(lambda x: str(x).replace(".", ",")) for name in names}
    )


def many(**columns):
    """Return a table of 200 rows, with other columns."""
    return pd.concat([FRAME] * 50, ignore_index=True).assign(**columns)


NAMES = [f"person {i}" for i in range(200)]
OTHERWISE = {  # what a reader of tables would take for categories, or rename, without a word
    "decimal commas": (
        commas(FRAME, "income"),
        r"'income' holds numbers with commas, such as '1,5'",
    ),
    "thousands": (FRAME.assign(income=["1.000,5", "2", "-3,25", "1.200"]), r"such as '1.000,5'"),
    "names": (many(town=NAMES), "'town' has 200 different texts in 200 rows, such as 'person 0'"),
    "numbers and a word": (many(age=[*map(str, range(199)), "old"]), "'age' has 200 different"),
    "days as text": (many(age=pd.date_range("2020", periods=200).astype(str)), "'2020-01-01'"),
    "classes": (many(paid=NAMES), "'paid' has 200 different values in 200 rows: no classes"),
}
OBJECTS = {  # which a Parquet file may hold
    "days": (FRAME.assign(age=pd.date_range("2020", periods=4)), "'age' holds dates or times"),
    "times": (FRAME.assign(age=pd.to_timedelta([1, 2, 3, 4], "h")), "'age' holds dates or times"),
    "lists": (FRAME.assign(town=[[1], [2], [3], [4]]), "'town' holds a ndarray, neither numbers"),
    "decimals": (FRAME.assign(age=[*map(Decimal, "1234")]), "'age' holds a Decimal, neither"),
    "bytes": (FRAME.assign(town=[b"a", b"b", b"c", b"d"]), "'town' holds a bytes, neither"),
}


@pytest.mark.parametrize(("frame", "said"), OTHERWISE.values(), ids=OTHERWISE)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_columns_that_seem_to_be_no_categories_are_refused(tmp_path, frame, said, suffix):
    write(frame, tmp_path / f"people.{suffix}")
    with pytest.raises(ValueError, match=rf"\A.*people.{suffix}: column .*{said}.*\Z"):
        table.load(tmp_path, path=f"people.{suffix}", **OPTIONS)


@pytest.mark.parametrize(("frame", "said"), OBJECTS.values(), ids=OBJECTS)
def test_columns_of_other_objects_are_refused(tmp_path, frame, said):
    write(frame, tmp_path / "people.parquet")
    with pytest.raises(ValueError, match=rf"\A.*people.parquet: column {said}.*\Z"):
        table.load(tmp_path, path="people.parquet", **(OPTIONS | {"categorical": ["age", "town"]}))


@pytest.mark.parametrize("frame", [commas(FRAME, "income"), many(town=NAMES)])
def test_what_is_said_to_be_categorical_is(tmp_path, frame):
    write(frame, tmp_path / "people.csv")
    options = OPTIONS | {"categorical": ["code", "income", "town"]}
    kinds = table.load(tmp_path, path="people.csv", **options).encoding["columns"]
    widths = {c["name"]: c["width"] for c in kinds if c["kind"] == "categorical"}
    assert widths == {name: frame[name].nunique() for name in ("code", "income", "town")}


@pytest.mark.parametrize(("changed", "said"), [
    (lambda text: text.replace("income", "age"), "two columns are named 'age'"),
    (lambda text: text.replace("income", "paid"), "two columns are named 'paid'"),
    (lambda text: text.replace("age,", ",", 1), "column 1 has no name: name it, or drop"),
    (lambda text: text.replace("code,", " ,", 1), "column 3 has no name: name it, or drop"),
    (lambda text: text.replace(",", ";"), "has one column, 'age;town;.*save it separated by comm"),
    (lambda text: text.replace(",", "\t"), "has one column, .*save it separated by commas"),
    (lambda text: text.replace("yes", "jä").encode("latin-1"), "save it as UTF-8"),
    (lambda text: text.encode("utf-16"), "save it as UTF-8"),
])  # fmt: skip
def test_what_a_reader_would_guess_about_a_file_is_refused(tmp_path, changed, said):
    text = changed(FRAME.to_csv(index=False))
    text = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "people.csv").write_bytes(text)
    with pytest.raises(ValueError, match=rf"\A.*people.csv: .*{said}.*\Z"):
        table.load(tmp_path, path="people.csv", **OPTIONS)


def test_row_numbers_as_pandas_writes_them_are_told_and_can_be_dropped(tmp_path):
    FRAME.to_csv(tmp_path / "people.csv")
    with pytest.raises(ValueError, match=r"column 1 has no name: .* drop 'Unnamed: 0'"):
        table.load(tmp_path, path="people.csv", **OPTIONS)
    dropped = OPTIONS | {"drop": ["note", "Unnamed: 0"]}
    found = table.load(tmp_path, path="people.csv", **dropped)
    write(FRAME, tmp_path / "plain.csv")
    assert (found.x == table.load(tmp_path, path="plain.csv", **OPTIONS).x).all()


def test_tables_that_are_none_are_refused_by_name(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match=r"broken.parquet: not a readable table"):
        table.load(tmp_path, path="broken.parquet", label="paid")
    write(FRAME.assign(age=[1, None, 3, 4]), tmp_path / "holes.csv")
    with pytest.raises(ValueError, match=r"holes.csv: column 'age' has missing values"):
        table.load(tmp_path, path="holes.csv", label="paid")
    write(FRAME, tmp_path / "people.csv")
    write(FRAME.rename(columns={"age": "years"}), tmp_path / "others.csv")
    with pytest.raises(ValueError, match=r"others.csv: its columns differ .* 'age'"):
        table.load(tmp_path, path="people.csv", nonmembers="others.csv", label="paid")
    write(FRAME.assign(paid="yes"), tmp_path / "one.csv")
    with pytest.raises(ValueError, match=r"'paid' has one value only"):
        table.load(tmp_path, path="one.csv", label="paid")


def test_a_released_model_knew_no_canaries(tmp_path):
    write(FRAME, tmp_path / "people.csv")
    found = table.load(tmp_path, path="people.csv", **OPTIONS)
    with pytest.raises(ValueError, match="knew no canaries"):
        canaries.insert_canaries(found, 1, "noise", np.random.default_rng(1))


def test_the_study_may_say_mean_and_deviation(tmp_path):
    """As the program did that trained a released model."""
    write(FRAME[["age", "income", "paid"]], tmp_path / "people.csv")
    given = {"source": "table", "path": "people.csv", "label": "paid"}
    moments = {"mean": [10.0, 1.0], "deviation": [5.0, 2.0]}
    entry = entries.population(given | moments, "populations.mine")
    settings = {"name": "mine", "seed": 1, "data_root": str(tmp_path), **entry}
    prepare_population.main(population=str(tmp_path / "mine.h5"), settings=settings)
    x, _ = examples(str(tmp_path / "mine.h5"), torch.device("cpu"))
    assert x.numpy() == pytest.approx((FRAME[["age", "income"]].to_numpy() - [10, 1]) / [5, 2])
    with pytest.raises(ValueError, match=r"mine\.mean: 3 numbers, but examples have 2"):
        prepare_population.main(
            population=str(tmp_path / "mine.h5"), settings=settings | {"mean": [1.0, 2.0, 3.0]}
        )
    with pytest.raises(ValueError, match=r"mine: mean and deviation are given together"):
        entries.population(given | {"mean": [1.0]}, "populations.mine")
