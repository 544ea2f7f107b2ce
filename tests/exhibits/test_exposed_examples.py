"""Who is exposed is shown as its owner knows it: a picture, or a row of the table."""

import io
import json
from base64 import b64decode

import h5py
import numpy as np
import pandas as pd
import pytest
import write_answer
from answers import filed, simulated
from PIL import Image
from test_answer import TEMPLATE, beside, settings

from miatlas.exhibits.answer.examples import shown
from miatlas.populations.tabular import encode
from miatlas.running.store import write_h5


def population(path, x, **facts):
    texts = ("encoding", "class_names")
    facts = {key: json.dumps(value) if key in texts else value for key, value in facts.items()}
    write_h5(path, {"x": x}, facts)
    return h5py.File(path)


def pixels(uri):
    head, data = uri.split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(b64decode(data))))


@pytest.mark.parametrize(("channels", "scale", "kind"), [
    (3, 255.0, np.uint8), (1, 16.0, np.uint8), (3, 1.0, np.float32),
])  # fmt: skip
def test_a_picture_has_the_pixels_of_its_example(tmp_path, channels, scale, kind):
    x = (np.random.default_rng(1).random((5, channels, 8, 6)) * scale).astype(kind)
    found = shown(population(tmp_path / "p.h5", x, scale=scale), [3, 0])
    for row, one in zip((3, 0), found, strict=True):
        got = pixels(one["picture"]).reshape(64, 48, -1)[4::8, 4::8]  # each pixel is 8 x 8
        want = np.round(255 * (x[row].astype(float) / scale)).transpose(1, 2, 0)
        assert np.array_equal(got, want)


def test_a_picture_that_was_prepared_is_shown_between_its_extremes(tmp_path):
    x = np.random.default_rng(1).normal(size=(2, 1, 64, 64)).astype(np.float32)
    [one] = shown(population(tmp_path / "p.h5", x), [1])
    got = pixels(one["picture"])
    assert (got.min(), got.max()) == (0, 255)
    assert np.corrcoef(got.ravel(), x[1].ravel())[0, 1] > 0.999


def test_a_row_is_said_as_in_its_owner_s_table(tmp_path):
    frame = pd.DataFrame({"job": ["cook", "nurse", "cook"], "age": [31, 47, 60.5]})
    x, encoding = encode(frame, ["job"])
    found = shown(population(tmp_path / "p.h5", x, encoding=encoding), [1, 2])
    assert found == [{"row": "age 47, job nurse"}, {"row": "age 60.5, job cook"}]


def test_of_columns_without_names_the_first_values_are_shown_and_of_words_none(tmp_path):
    x = np.arange(20, dtype=np.float32).reshape(2, 10)
    [one] = shown(population(tmp_path / "p.h5", x), [1])
    assert one == {"row": "10, 11, 12, 13, 14, 15 … (10 values)"}
    words = np.arange(20, dtype=np.int64).reshape(2, 10)
    assert shown(population(tmp_path / "w.h5", words), [1]) == [{}]


def test_the_page_shows_what_the_most_exposed_are(tmp_path):
    """In the page alone: the numbers beside it hold no pictures."""
    files = filed(tmp_path, simulated({"a": 1.0, "b": 0.5}))
    x = np.random.default_rng(1).integers(0, 256, (600, 3, 4, 4)).astype(np.uint8)
    names = ["cat", "dog", "owl"]
    population(tmp_path / "p.h5", x, scale=255.0, class_names=names).close()
    page, data = tmp_path / "answer.html", tmp_path / "answer.json"
    given = settings(show_records=True)
    write_answer.main(page=page, data=data, template=TEMPLATE, settings=given, **beside(data),
                      **files, populations={"one": str(tmp_path / "p.h5")})  # fmt: skip
    records = json.loads(data.read_text())["audits"][0]["records"]
    assert set(records[0]) == {"example", "class", "named", "of", "attacks", "class_name"}
    assert len(records) == page.read_text().count('<img src="data:image/png;base64,')
    for one in records:
        assert one["class_name"] == names[one["class"]]
        assert f'alt="Example {one["example"]}"' in page.read_text()
