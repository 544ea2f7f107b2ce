"""Users' own files: both formats hold the same arrays and are refused in the same words."""

import hashlib

import h5py
import numpy as np
import pytest

from miatlas.populations import hdf5, npz

generator = np.random.default_rng(0)
IMAGES = {
    "x": generator.integers(0, 256, (12, 3, 5, 4), np.uint8),
    "labels": np.arange(12) % 3,
    "test": np.arange(12) > 8,
    "class_names": np.array(["cat", "dog", "émeu"]),
}
FORMATS = [(npz, "npz"), (hdf5, "hdf5")]


def write(path, arrays):
    """Write the arrays in the format that the suffix names."""
    if path.suffix == ".npz":
        np.savez_compressed(path, **arrays)
        return
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array.astype(h5py.string_dtype()) if array.dtype.kind == "U" else array


def loaded(module, folder, suffix, arrays, **options):
    write(folder / f"mine.{suffix}", arrays)
    return module.load(folder, path=f"mine.{suffix}", **options)


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
def test_all_arrays_are_read(tmp_path, module, suffix):
    population = loaded(module, tmp_path, suffix, IMAGES)
    np.testing.assert_array_equal(population.x, IMAGES["x"])
    assert population.x.dtype == np.uint8
    np.testing.assert_array_equal(population.labels, IMAGES["labels"])
    np.testing.assert_array_equal(population.test, IMAGES["test"])
    assert population.class_names == ["cat", "dog", "émeu"]
    assert population.scale == 255
    assert f"mine.{suffix}" in population.source


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
def test_test_set_and_names_are_optional(tmp_path, module, suffix):
    arrays = {"x": IMAGES["x"], "labels": IMAGES["labels"].astype(np.uint8)}
    population = loaded(module, tmp_path, suffix, arrays, scale=16.0)
    assert not population.test.any()
    assert population.class_names == ["0", "1", "2"]
    assert population.labels.dtype == np.int64
    assert population.scale == 16


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (generator.normal(size=(12, 3, 5, 4)), (12, 3, 5, 4)),
        (generator.normal(size=(12, 5, 4)), (12, 1, 5, 4)),
        (generator.normal(size=(12, 7)).astype(np.float16), (12, 7)),
        (generator.integers(-5, 300, (12, 7)), (12, 7)),
        (generator.integers(0, 256, (12, 7), np.uint8), (12, 7)),
        (generator.random((12, 7)) < 0.5, (12, 7)),
    ],
)
def test_float_images_and_any_numeric_features_become_float32(tmp_path, module, suffix, x, shape):
    population = loaded(module, tmp_path, suffix, {**IMAGES, "x": x})
    assert population.x.dtype == np.float32
    assert population.x.shape == shape
    np.testing.assert_array_equal(population.x.reshape(x.shape), x.astype(np.float32))
    assert population.scale == 1


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
def test_channels_may_come_last_if_that_is_said(tmp_path, module, suffix):
    last = {**IMAGES, "x": IMAGES["x"].transpose(0, 2, 3, 1)}
    population = loaded(module, tmp_path, suffix, last, layout="NHWC")
    np.testing.assert_array_equal(population.x, IMAGES["x"])
    with pytest.raises(ValueError, match=r"mine.*channels last: set layout: NHWC"):
        loaded(module, tmp_path, suffix, last)


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
def test_the_path_may_be_absolute_and_the_checksum_is_held(tmp_path, module, suffix):
    path = tmp_path / f"mine.{suffix}"
    write(path, IMAGES)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(module.load(tmp_path / "elsewhere", path=str(path), sha256=right)) == 12
    with pytest.raises(ValueError, match=f"mine.{suffix}: wrong checksum"):
        module.load(tmp_path, path=path.name, sha256="0" * 64)


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": None}, "no array 'labels'"),
        ({"extra": np.zeros(3)}, "unknown array 'extra'"),
        ({"labels": np.zeros(11, int)}, "labels is int64"),
        ({"labels": np.full(12, 3)}, "there are 3 classes"),
        ({"labels": np.full(12, -1)}, "there are 3 classes"),
        ({"labels": np.linspace(0, 2, 12)}, "not integers"),
        ({"labels": np.zeros((12, 3), int)}, "not integers"),
        ({"test": np.arange(12)}, "true or false"),
        ({"test": np.zeros(5, bool)}, "test is bool"),
        ({"x": np.full((12, 4), np.nan)}, "not finite"),
        ({"x": np.full((12, 4), 1e300)}, "not finite"),
        ({"x": np.zeros(12)}, "neither images nor features"),
        ({"x": np.zeros((12, 3, 5, 4), int)}, "uint8 or float"),
        ({"x": np.zeros((12, 3, 5, 4, 2))}, "neither images nor features"),
        ({"x": np.zeros((0, 4)), "labels": np.zeros(0, int), "test": None}, "x is float32"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_name(tmp_path, module, suffix, change, words):
    arrays = {name: array for name, array in {**IMAGES, **change}.items() if array is not None}
    with pytest.raises(ValueError, match=words) as caught:
        loaded(module, tmp_path, suffix, arrays)
    assert f"mine.{suffix}" in str(caught.value)


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
def test_a_cut_empty_or_foreign_file_is_refused_by_name(tmp_path, module, suffix):
    path = tmp_path / f"mine.{suffix}"
    write(path, IMAGES)
    whole = path.read_bytes()
    single = tmp_path / "single.npy"
    np.save(single, IMAGES["x"])
    other = tmp_path / ("other.h5" if suffix == "npz" else "other.npz")
    write(other, IMAGES)
    foreign = b"", b"text", b"\x80\xff" * 50, single.read_bytes(), other.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:-5], *foreign):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"mine.{suffix}: not a readable") as caught:
            module.load(tmp_path, path=path.name)
        assert "pickle" not in str(caught.value)
        if suffix == "npz":
            assert str(caught.value).endswith(".npz file: no archive of arrays, or cut short")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f"missing file mine.{suffix}"):
        module.load(tmp_path, path=path.name)


def test_flipped_bytes_inside_an_archive_are_noticed(tmp_path):
    path = tmp_path / "mine.npz"
    write(path, IMAGES)
    content = bytearray(path.read_bytes())
    content[300:310] = b"\xff" * 10
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"mine\.npz: not a readable"):
        npz.load(tmp_path, path=path.name)


def test_nothing_is_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was opened",))

    path = tmp_path / "mine.npz"
    np.savez(path, **{**IMAGES, "class_names": np.array([Bomb()] * 3, object)})
    with pytest.raises(ValueError, match=r"mine\.npz: not a readable"):
        npz.load(tmp_path, path="mine.npz")
