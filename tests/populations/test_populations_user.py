"""Users' own files: both formats hold the same arrays and are refused in the same words."""

import hashlib
import io
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

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
    with pytest.raises(ValueError, match=r"mine\.npz: class_names is an array of Python objects"):
        npz.load(tmp_path, path="mine.npz")


# What is right in form, and cannot be meant ---------------------------------------------------


def refused(module, folder, suffix, arrays, message, **options):
    """Fail unless the arrays are refused in one line that names their file."""
    with pytest.raises(ValueError, match=message) as refusal:
        loaded(module, folder, suffix, arrays, **options)
    assert f"mine.{suffix}" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def of_shape(*shape, kind="u1"):
    examples = np.ones(shape, kind)
    return {"x": examples, "labels": np.arange(len(examples)) % 3}


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
@pytest.mark.parametrize("kind", ["u1", "f4"])
@pytest.mark.parametrize(
    "shape", [(8, 8, 1), (8, 8, 3), (8, 8, 4), (28, 28, 2), (32, 24, 3), (9, 9, 12), (16, 24, 8)]
)
def test_images_that_seem_to_have_their_channels_last_are_asked_about(
    tmp_path, module, suffix, kind, shape
):
    given = of_shape(30, *shape, kind=kind)
    message = rf"x of shape .* channels last: set layout: NHWC, or layout: NCHW if .* {shape[0]} ch"
    refused(module, tmp_path, suffix, given, message)
    last = loaded(module, tmp_path, suffix, given, layout="NHWC")
    assert last.x.shape == (30, shape[2], *shape[:2])
    if shape[2] > 1:
        assert loaded(module, tmp_path, suffix, given, layout="NCHW").x.shape == (30, *shape)


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (4, 32, 24), (3, 5, 4), (16, 8, 8)])
def test_channels_first_is_the_order_that_need_not_be_said(tmp_path, module, suffix, shape):
    given = of_shape(30, *shape)
    for layout in ({}, {"layout": "NCHW"}):
        assert loaded(module, tmp_path, suffix, given, **layout).x.shape == (30, *shape)


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (4, 32, 24)])
def test_a_layout_that_the_shape_contradicts_is_refused(tmp_path, module, suffix, shape):
    message = "has its channels first, but layout is NHWC: leave it out"
    refused(module, tmp_path, suffix, of_shape(30, *shape), message, layout="NHWC")


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((30, 8, 1), "x of shape .* has an axis too many"),
        ((30, 1, 8), "x of shape .* has an axis too many"),
        ((30, 1, 1, 8), "x of shape .* has an axis too many"),
        ((30, 3, 8, 1), "x of shape .* has an axis too many"),
        ((30, 1, 3, 8, 8), "x is .* neither images nor features"),
    ],
)
def test_an_axis_too_many_is_refused(tmp_path, module, suffix, shape, message):
    refused(module, tmp_path, suffix, of_shape(*shape), message)


N = 120


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (10 * (1 + np.arange(N) % 3), "labels are 10 to 30, but 3 classes have examples: number"),
        (1 + np.arange(N) % 3, "labels are 1 to 3, but 3 classes .*: number them 0 to 2"),
        (np.array([0, 1, 3])[np.arange(N) % 3], "labels are 0 to 3, but 3 classes have examples"),
        (20230101 + np.arange(N) % 3, "labels are 20230101 to 20230103, but 3 classes"),
        (np.arange(N) % 3 - 1, "labels are -1 to 1, but 3 classes"),
        (np.arange(N), "labels are of 120 classes, for 120 examples: are they numbers of examples"),
        (np.arange(N) % 61, "labels are of 61 classes, for 120 examples"),
        (np.zeros(N, int), "labels are all 0: a classifier needs two classes"),
        (np.ones(N, int), "labels are 1 to 1, but 1 classes have examples"),
        ((np.arange(N) % 3).astype(float), "labels is float64 .*: save labels.astype.int."),
        (np.where(np.arange(N) == 7, np.nan, 1.0), "labels is float64.*: it is nan for example 7"),
        (np.eye(3, dtype=int)[np.arange(N) % 3], "not integers .*: take labels.argmax.1. of ind"),
        ((np.arange(N) % 3)[:, None], "not integers .*labels.reshape.-1. of one column"),
        (np.arange(N) % 2 == 0, "labels is bool"),
        (np.array(["cat", "dog"])[np.arange(N) % 2], "labels is an array of .* or text"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_meant_are_refused(tmp_path, module, suffix, labels, message):
    refused(module, tmp_path, suffix, {"x": np.ones((N, 4)), "labels": labels}, message)


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
def test_class_names_say_which_classes_there_are(tmp_path, module, suffix):
    names = np.array([f"n{c}" for c in range(100)])
    given = {"x": np.ones((N, 4)), "labels": np.arange(N) % 3 * 40, "class_names": names}
    assert len(loaded(module, tmp_path, suffix, given).class_names) == 100
    one = {"labels": np.full(N, 5)}
    refused(module, tmp_path, suffix, given | one, "labels are all 5: a classifier needs two")
    refused(module, tmp_path, suffix, given | {"class_names": names[:, None]}, "class_names is ")
    refused(module, tmp_path, suffix, given | {"test": np.ones(N, bool)}, "test is true for every")
    in_bytes = given | {"class_names": np.array(["é".encode(), b"b"] * 50)}
    assert loaded(module, tmp_path, suffix, in_bytes).class_names == ["é", "b"] * 50


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
@pytest.mark.parametrize(("value", "said"), [(np.nan, "nan"), (-np.inf, "-inf"), (1e39, "inf")])
@pytest.mark.parametrize("shape", [(N, 7), (N, 3, 5, 6)])
def test_where_a_value_is_not_finite_is_said(tmp_path, module, suffix, value, said, shape):
    x = np.ones(shape)
    place = (17, 5) if len(shape) == 2 else (17, 2, 4, 5)
    x[place] = value
    x[99] = value
    message = rf"not finite: {said} for example 17 at \[{', '.join(map(str, place[1:]))}\]"
    refused(module, tmp_path, suffix, {"x": x, "labels": np.arange(N) % 3}, message)


@pytest.mark.parametrize("name", ["x", "labels", "test", "class_names"])
def test_objects_of_pandas_are_refused_with_what_to_do(tmp_path, name):
    arrays = {"x": np.ones((12, 4)), "labels": IMAGES["labels"], "test": IMAGES["test"],
              "class_names": IMAGES["class_names"]}  # fmt: skip
    objects = arrays | {name: arrays[name].astype(object)}
    message = rf"mine\.npz: {name} is an array of Python objects or text, as pandas makes them: "
    refused(npz, tmp_path, "npz", objects, message)


# Archives that are not what they claim ---------------------------------------------------------


def headed(shape, kind="<f8", content=b""):
    """Return the bytes of an array file whose header claims a shape."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"shape": shape, "fortran_order": False, "descr": kind}
    )
    return stream.getvalue() + content


def archived(path, members, **how):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def in_little_memory(path, source):
    """Return what is said of a file by a process that may take no more than 1 GiB above imports."""
    code = f"""
import resource, sys
from pathlib import Path
sys.path.insert(0, {str(Path(npz.__file__).parents[2])!r})
from miatlas.populations import {source}
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + 2**30
resource.setrlimit(resource.RLIMIT_AS, (size, size))
try:
    {source}.load(Path("."), path={str(path)!r})
except (ValueError, MemoryError) as error:
    print(type(error).__name__, error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout


@pytest.mark.parametrize("shape", [(10**6, 10**6), (10**12,), (10**6, 3, 600, 600)])
def test_an_array_that_only_its_header_claims_takes_no_memory(tmp_path, shape):
    labels = io.BytesIO()
    np.save(labels, np.zeros(5, int))
    members = {"x.npy": headed(shape, content=bytes(100)), "labels.npy": labels.getvalue()}
    said = in_little_memory(archived(tmp_path / "mine.npz", members), "npz")
    assert said.startswith("ValueError")
    assert "mine.npz: x claims" in said
    assert said.count("\n") == 1


def test_an_array_that_unpacks_to_more_than_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "os.sysconf", lambda name: {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 10_000}[name]
    )
    for module, suffix in FORMATS:
        given = {"x": np.zeros((3000, 4)), "labels": np.arange(3000) % 3}
        message = "x takes 0.0 GiB, and this machine has 0.0 GiB of memory"
        refused(module, tmp_path, suffix, given, message)


def test_an_hdf5_array_that_was_never_written_takes_no_memory(tmp_path):
    path = tmp_path / "mine.hdf5"
    with h5py.File(path, "w") as file:
        file["labels"] = np.arange(10) % 2
        file.create_dataset("x", (10**6, 10**6), "f4", chunks=True)
    said = in_little_memory(path, "hdf5")
    assert "mine.hdf5: x claims 3,725.3 GiB, of which the file holds 0 bytes" in said


def test_what_is_a_pickle_is_not_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was opened",))

    bomb = pickle.dumps(Bomb())
    (tmp_path / "mine.npz").write_bytes(bomb)
    with pytest.raises(ValueError, match=r"mine\.npz: not a readable .npz file"):
        npz.load(tmp_path, path="mine.npz")
    archived(tmp_path / "mine.npz", {"archive/data.pkl": bomb})  # as torch saves
    with pytest.raises(ValueError, match=r"mine\.npz: no array 'x'; it holds archive/data.pkl"):
        npz.load(tmp_path, path="mine.npz")
    archived(tmp_path / "mine.npz", {"x": bomb, "labels.npy": bomb})
    with pytest.raises(ValueError, match=r"mine\.npz: not a readable .npz file"):
        npz.load(tmp_path, path="mine.npz")
    objects = headed((3,), "|O", bomb)
    archived(tmp_path / "mine.npz", {"x.npy": objects, "labels.npy": objects})
    with pytest.raises(ValueError, match=r"mine\.npz: x is an array of Python objects"):
        npz.load(tmp_path, path="mine.npz")


def test_what_else_lies_in_an_hdf5_file_is_not_read(tmp_path):
    path = tmp_path / "mine.hdf5"
    write(path, IMAGES)
    with h5py.File(path, "a") as file:
        file.create_group("meta")["epochs"] = 3
        file["nothing"] = h5py.Empty("f")
        file["elsewhere"] = h5py.ExternalLink("gone.h5", "x")
        file["dangling"] = h5py.SoftLink("/nowhere")
        file.attrs["format"] = 7
    assert len(hdf5.load(tmp_path, path=path.name)) == 12


@pytest.mark.parametrize("name", ["x", "labels", "test", "class_names"])
@pytest.mark.parametrize(
    ("there", "what"),
    [
        (h5py.Empty("f"), "empty"),
        (h5py.SoftLink("/nowhere"), "a link"),
        (h5py.ExternalLink("other.hdf5", "x"), "a link to another file"),
        (None, "a group"),
    ],
)
def test_what_is_no_array_of_the_hdf5_file_is_named(tmp_path, name, there, what):
    path = tmp_path / "mine.hdf5"
    write(path, IMAGES)
    write(tmp_path / "other.hdf5", IMAGES)
    with h5py.File(path, "a") as file:
        del file[name]
        if there is None:
            file.create_group(name)
        else:
            file[name] = there
    with pytest.raises(ValueError, match=rf"mine\.hdf5: {name} is {what}, expected an array"):
        hdf5.load(tmp_path, path=path.name)
