"""Populations of several parts: what an example is of stays with it; digits of two collections."""

import h5py
import numpy as np
import prepare_population
import pytest

from miatlas.populations import base, canaries, digits, digits_mnist, mnist
from miatlas.populations.base import Population


def parted(n=12, **changes):
    given = {
        "x": np.arange(n, dtype=np.float32)[:, None], "labels": np.arange(n) % 2,
        "test": np.zeros(n, bool), "class_names": ["a", "b"], "source": "mine",
        "part": np.arange(n, dtype=np.int16) % 3, "parts": ["x", "y", "z"],
    }  # fmt: skip
    return Population(**(given | changes))


def test_an_example_keeps_its_part_in_a_subset():
    few = base.subset(parted(), 6, np.random.default_rng(0))
    assert few.part.tolist() == (few.x[:, 0] % 3).tolist()
    assert few.parts == ["x", "y", "z"]


def test_canaries_are_of_no_part():
    more = canaries.insert_canaries(parted(), 4, "noise", np.random.default_rng(0))
    assert more.part[~more.canary].tolist() == (np.arange(12) % 3).tolist()
    assert (more.part[more.canary] == -1).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parts": []}, "given together"),
        ({"part": None}, "given together"),
        ({"part": np.zeros(3, np.int16)}, r"part is int16 \(3,\)"),
        ({"part": np.zeros(12)}, "not integers"),
        ({"part": np.full(12, 3, np.int16)}, r"lies in \[3, 3\], but there are 3 parts"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        parted(**changes)


def ink(image):
    """Count the ink of an image (28, 28) in squares of 4x4 of its 32x32 frame, one by one."""
    found = np.zeros((8, 8), int)
    for row, column in np.argwhere(image >= 128):
        found[(row + 2) // 4, (column + 2) // 4] += 1
    return found


def test_digits_of_mnist_are_counted_as_the_others_were(monkeypatch, tmp_path):
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (30, 1, 28, 28)).astype(np.uint8)
    there = Population(
        x=images, labels=np.arange(30) % 10, test=np.arange(30) >= 25,
        class_names=list("0123456789"), source="mnist", scale=255.0,
    )  # fmt: skip
    monkeypatch.setattr(mnist, "load", lambda data_root, *, download: there)
    found, first = digits_mnist.load(tmp_path, images=20), digits.load(tmp_path)
    assert (found.part == 0).sum() == len(first) == len(found) - 20
    np.testing.assert_array_equal(found.x[:-20], first.x)
    for image, counted in zip(images[:20, 0], found.x[-20:, 0], strict=True):
        np.testing.assert_array_equal(counted, ink(image))
    np.testing.assert_array_equal(found.labels[-20:], np.arange(20) % 10)
    with pytest.raises(ValueError, match="images: 26, but MNIST has 25"):
        digits_mnist.load(tmp_path, images=26)


def test_a_population_file_says_of_which_part_an_example_is(monkeypatch, tmp_path):
    monkeypatch.setattr(prepare_population, "load", lambda *_: parted())
    settings = {"name": "p", "seed": 0, "data_root": "", "subset": None, "label_noise": 0.0,
                "class_overlap": 0.0, "canaries": None, "standardise": "none"}  # fmt: skip
    prepare_population.main(population=str(tmp_path / "p.h5"), settings=settings)
    with h5py.File(tmp_path / "p.h5") as file:
        assert file["part"][()].tolist() == (np.arange(12) % 3).tolist()
        assert file.attrs["parts"] == '["x", "y", "z"]'
