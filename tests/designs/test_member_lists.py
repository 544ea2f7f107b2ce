"""Lists of members: every way of writing them down says the same, what says nothing is refused."""

import re

import numpy as np
import pytest

from miatlas.designs.member_lists import read

MEMBER = np.array([True, False, True, True, False, False])
TEXTS = {
    "indices": "0\n2\n3\n",
    "another order, no end of line": "3\n0\n2",
    "with a header": "index\n0\n2\n3\n",
    "of Windows": "0\r\n2\r\n3\r\n",
    "a mask": "1\n0\n1\n1\n0\n0\n",
    "with a mark of its encoding": "\ufeff0\n2\n3\n",
    "with the mark and a header": "\ufeffindex\r\n0\r\n2\r\n3\r\n",
}
ARRAYS = {
    "indices": np.array([3, 2, 0], np.uint16),
    "a mask": MEMBER,
    "a mask of numbers": MEMBER.astype(np.int64),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_is_read(tmp_path, text):
    (tmp_path / "members.txt").write_bytes(text.encode())
    assert np.array_equal(read(tmp_path / "members.txt", 6), MEMBER)


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_an_array_is_read(tmp_path, array):
    np.save(tmp_path / "members.npy", array)
    assert np.array_equal(read(tmp_path / "members.npy", 6), MEMBER)


def test_a_row_a_model_is_read(tmp_path):
    np.save(tmp_path / "members.npy", np.stack([MEMBER, ~MEMBER]))
    assert np.array_equal(read(tmp_path / "members.npy", 6), [MEMBER, ~MEMBER])


WRONG = {
    "6\n": "example 6 does not exist",
    "-1\n": "example -1 does not exist",
    "0\n2\n2\n": "example 2 is on the list more than once",
    "0\nalice\n": "line 2: 'alice' is no index",
    "0\n1.5\n": "line 2: '1.5' is no index",
    "": "expected indices of members",
    "index\n": "expected indices of members",
}


@pytest.mark.parametrize(("text", "said"), WRONG.items())
def test_what_is_no_list_is_refused_by_line(tmp_path, text, said):
    path = tmp_path / "members.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        read(path, 6)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "array",
    [np.ones(5, bool), np.ones((2, 5), bool), np.array([0.0, 1.0]), np.array([{}], object),
     np.ones((1, 1, 6), bool)],
    ids=["too short", "rows too short", "floats", "pickled", "three axes"],
)  # fmt: skip
def test_arrays_that_are_no_list_are_refused(tmp_path, array):
    np.save(tmp_path / "members.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=r"members\.npy"):
        read(tmp_path / "members.npy", 6)
    with pytest.raises(ValueError, match="no such file"):
        read(tmp_path / "absent.txt", 6)
