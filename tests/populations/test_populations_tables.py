"""Tables: encoding against a computation by hand, and the text formats of the five sources."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from miatlas.populations import adult, catalogue, german_credit, location30, purchase100, texas100
from miatlas.populations.tabular import encode


def describe(monkeypatch, source, shape):
    """Let the catalogue expect small files of unknown checksum for a source."""
    entry = catalogue.SOURCES[source]
    files = tuple(catalogue.File(file.path) for file in entry.files)
    monkeypatch.setitem(catalogue.SOURCES, source, replace(entry, files=files, shape=shape))


def test_encoding_is_what_pandas_and_a_hand_compute():
    frame = pd.DataFrame(
        {"size": [1.0, 2, 3, 6], "colour": ["red", "blue", "red", "?"], "flat": [4, 4, 4, 4]}
    )
    x, encoding = encode(frame, ["colour"])
    np.testing.assert_array_equal(x[:, :2], frame[["size", "flat"]].to_numpy())
    np.testing.assert_array_equal(x[:, 2:], pd.get_dummies(frame["colour"]).to_numpy(float))
    assert x.dtype == np.float32
    size, flat, colour = encoding["columns"]
    assert size == {"name": "size", "kind": "numeric", "first": 0, "width": 1}
    assert (flat["name"], flat["first"], flat["width"]) == ("flat", 1, 1)
    assert colour == {
        "name": "colour", "kind": "categorical", "first": 2, "width": 3,
        "categories": ["?", "blue", "red"],
    }  # fmt: skip
    assert json.loads(json.dumps(encoding)) == encoding


def test_the_encoding_recorded_is_enough_to_undo_it():
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": generator.normal(5, 3, 50),
            "b": generator.choice(list("xyz"), 50),
            "c": generator.choice(list("pq"), 50),
        }
    )
    x, encoding = encode(frame, ["b", "c"])
    for column in encoding["columns"]:
        block = x[:, column["first"] : column["first"] + column["width"]]
        if column["kind"] == "numeric":
            np.testing.assert_allclose(block[:, 0], frame[column["name"]], rtol=1e-6)
        else:
            back = np.array(column["categories"])[block.argmax(axis=1)]
            np.testing.assert_array_equal(back, frame[column["name"]])


def test_tables_of_one_kind_of_column_work_and_holes_are_refused():
    assert encode(pd.DataFrame({"a": ["x", "y"]}), ["a"])[0].tolist() == [[1, 0], [0, 1]]
    assert encode(pd.DataFrame({"a": [1, 3]}), [])[0].tolist() == [[1], [3]]
    with pytest.raises(ValueError, match="column 'b' has missing values"):
        encode(pd.DataFrame({"a": [1, 2], "b": ["x", None]}), ["b"])


PERSON = (
    "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, "
    "Male, 2174, 0, 40, United-States"
)
OTHER = (
    "50, ?, 83311, HS-grad, 9, Divorced, Sales, Husband, Black, Female, 0, 10, 13, Cuba"
)  # fmt: skip


@pytest.fixture
def people(tmp_path, monkeypatch):
    """Write an adult.data of three rows and an adult.test of two, quirks included."""
    folder = tmp_path / "adult"
    folder.mkdir()
    (folder / "adult.data").write_text(f"{PERSON}, <=50K\n{OTHER}, >50K\n{PERSON}, >50K\n\n")
    (folder / "adult.test").write_text(
        f"|1x3 Cross validator\n{OTHER}, <=50K.\n{PERSON.replace('39', '30')}, >50K.\n\n"
    )
    describe(monkeypatch, "adult", (5, 14))
    return tmp_path


def test_adult_reads_dots_question_marks_and_the_odd_first_line(people):
    population = adult.load(people)
    np.testing.assert_array_equal(population.labels, [0, 1, 1, 0, 1])
    np.testing.assert_array_equal(population.test, [False, False, False, True, True])
    assert population.class_names == ["<=50K", ">50K"]
    assert population.x.shape == (5, 6 + 8 * 2)
    columns = {column["name"]: column for column in population.encoding["columns"]}
    assert columns["workclass"]["categories"] == ["?", "State-gov"]
    assert columns["age"]["first"] == 0
    np.testing.assert_array_equal(population.x[:, 0], [39, 50, 39, 50, 30])


def test_adult_can_drop_rows_with_unknown_values(people):
    population = adult.load(people, missing="drop")
    np.testing.assert_array_equal(population.labels, [0, 1, 1])
    np.testing.assert_array_equal(population.test, [False, False, True])
    columns = {column["name"]: column for column in population.encoding["columns"]}
    assert columns["workclass"]["categories"] == ["State-gov"]
    np.testing.assert_array_equal(population.x[:, 0], [39, 39, 30])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{PERSON}, <=50K\n{OTHER}, >50K\n", "wrong shape: adult has 5 x 14, this is 4 x 14"),
        (f"{PERSON}, <=50K\n{OTHER}, >50K\n{PERSON[:40]}", "has income"),
        (f"{PERSON}, <=50K\n{OTHER}, >50K\n{PERSON}, 60K\n", "income '60K'"),
        (f"{PERSON}, <=50K\n{OTHER}, >50K\nold{PERSON}, >50K\n", "damaged"),
        ("", "damaged"),
    ],
)
def test_a_damaged_adult_file_is_refused_by_name(people, text, words):
    (people / "adult" / "adult.data").write_text(text)
    with pytest.raises(ValueError, match="adult") as caught:
        adult.load(people)
    assert words in str(caught.value)
    assert str(people / "adult") in str(caught.value)


def test_a_changed_file_is_refused_by_its_checksum(tmp_path):
    folder = tmp_path / "adult"
    folder.mkdir()
    for name in ("adult.data", "adult.test"):
        (folder / name).write_text(f"{PERSON}, <=50K\n")
    with pytest.raises(ValueError, match=r"adult\.data: wrong checksum"):
        adult.load(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"german\.data"):
        german_credit.load(tmp_path)


GERMAN = [
    "A11 6 A34 A43 1169 A65 A75 4 A93 A101 4 A121 67 A143 A152 2 A173 1 A192 A201 1",
    "A12 48 A32 A43 5951 A61 A73 2 A92 A101 2 A121 22 A143 A152 1 A173 1 A191 A201 2",
]


def test_german_credit_has_20_attributes_and_bad_is_class_1(tmp_path, monkeypatch):
    path = tmp_path / "german_credit" / "german.data"
    path.parent.mkdir()
    path.write_text("\n".join(GERMAN) + "\n")
    describe(monkeypatch, "german_credit", (2, 20))
    population = german_credit.load(tmp_path)
    np.testing.assert_array_equal(population.labels, [0, 1])
    assert population.class_names == ["good", "bad"]
    columns = {column["name"]: column for column in population.encoding["columns"]}
    assert len(columns) == 20
    np.testing.assert_array_equal(population.x[:, columns["credit-amount"]["first"]], [1169, 5951])
    assert columns["checking-status"]["categories"] == ["A11", "A12"]
    assert columns["foreign-worker"]["categories"] == ["A201"]
    assert not population.test.any()
    path.write_text("\n".join([GERMAN[0], GERMAN[1][:-1] + "3"]) + "\n")
    with pytest.raises(ValueError, match=r"german\.data: targets"):
        german_credit.load(tmp_path)


def test_german_credit_as_codes_has_20_columns_up_to_1_and_tests_on_its_last_rows(
    tmp_path, monkeypatch
):
    """As OpenML's credit-g, whose categories are numbered in the order that UCI lists them in."""
    path = tmp_path / "german_credit" / "german.data"
    path.parent.mkdir()
    third = "A14 24 A30 A410 1000 A61 A71 1 A91 A101 1 A124 30 A141 A153 1 A174 2 A191 A202 1"
    path.write_text("\n".join([*GERMAN, third]) + "\n")
    describe(monkeypatch, "german_credit", (3, 20))
    population = german_credit.load(tmp_path, encoding="codes", test_rows=1)
    expected = [  # by hand, each column before it is divided by its largest
        [0, 6, 4, 3, 1169, 4, 4, 4, 2, 0, 4, 0, 67, 2, 1, 2, 2, 1, 1, 0],
        [1, 48, 2, 3, 5951, 0, 2, 2, 1, 0, 2, 0, 22, 2, 1, 1, 2, 1, 0, 0],
        [3, 24, 0, 10, 1000, 0, 0, 1, 0, 0, 1, 3, 30, 0, 2, 1, 3, 2, 0, 1],
    ]
    largest = np.maximum(np.max(expected, axis=0), 1)
    np.testing.assert_allclose(population.x, expected / largest, rtol=1e-6)
    np.testing.assert_array_equal(population.test, [False, False, True])
    assert population.encoding == {}


@pytest.mark.parametrize(
    ("source", "module", "name", "quote"),
    [
        ("location30", location30, "location30/bangkok", '"'),
        ("purchase100", purchase100, "purchase100/dataset_purchase", ""),
    ],
)
def test_binary_tables_have_their_class_first(tmp_path, monkeypatch, source, module, name, quote):
    generator = np.random.default_rng(0)
    bits, labels = generator.integers(0, 2, (12, 7)), generator.integers(1, 31, 12)
    lines = [
        f"{quote}{y}{quote},{','.join(map(str, x))}" for y, x in zip(labels, bits, strict=True)
    ]
    path = tmp_path / name
    path.parent.mkdir()
    path.write_text("\n".join(lines) + "\n")
    describe(monkeypatch, source, (12, 7))
    population = module.load(tmp_path)
    np.testing.assert_array_equal(population.x, bits)
    assert population.x.dtype == np.float32
    np.testing.assert_array_equal(population.labels, labels - 1)
    assert len(population.class_names) == catalogue.SOURCES[source].classes
    assert population.class_names[0] == "1"
    for text, words in (
        ("\n".join(lines[:-1]), "wrong shape"),
        ("\n".join(lines)[:-3], "damaged"),
        ("\n".join([*lines[:-1], lines[-1][:-1] + "2"]), "other than 0 and 1"),
        ("\n".join(["101" + lines[0][lines[0].index(",") :], *lines[1:]]), "classes lie outside"),
        ("\n".join(lines).replace("0", "x"), "damaged"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=words) as caught:
            module.load(tmp_path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("width", [6_169, 6_170])
def test_texas_reads_features_and_labels_from_two_files(tmp_path, monkeypatch, width):
    bits = np.random.default_rng(0).integers(0, 2, (3, width))
    folder = tmp_path / "texas100"
    folder.mkdir()
    np.savetxt(folder / "feats", bits, "%d", ",")
    (folder / "labels").write_text("100\n1\n37\n")
    describe(monkeypatch, "texas100", (3, None))
    population = texas100.load(tmp_path)
    np.testing.assert_array_equal(population.x, bits)
    np.testing.assert_array_equal(population.labels, [99, 0, 36])
    (folder / "labels").write_text("100\n1\n")
    with pytest.raises(ValueError, match="2 labels for 3 examples"):
        texas100.load(tmp_path)
    np.savetxt(folder / "feats", bits[:, :100], "%d", ",")
    with pytest.raises(ValueError, match="100 features, not 6169 or 6170"):
        texas100.load(tmp_path)
