"""The catalogue: messages, checksums and shapes, known without importing anything heavy."""

import hashlib
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from torchvision import datasets

from miatlas import options
from miatlas.populations import catalogue, source_files
from miatlas.study.checking import checked

FOLDER = Path(catalogue.__file__).parent
SHARED = {"__init__", "base", "catalogue", "tabular", "image_folder", "torchvision_sets"}
SHARED |= {"user_arrays", "two_files", "pairs", "altered", "moments", "text"}
SHARED |= {"canaries", "source_files", "columns"}


OWN = {"npz": {"path": "a.npz"}, "hdf5": {"path": "a.h5"},
       "table": {"path": "a.csv", "label": "b"}, "folders": {"path": "a"}}  # fmt: skip


def test_every_source_has_a_module_with_checked_options_and_every_module_an_entry():
    modules = {path.stem for path in FOLDER.glob("*.py")} - SHARED
    assert modules == set(catalogue.SOURCES)
    for source in modules:
        declared = options.declared(FOLDER / f"{source}.py", "load")
        needed = OWN.get(source, {})
        assert set(checked(needed, declared, source)) == set(declared)
        assert options.inputs(FOLDER / f"{source}.py", "load") == ("data_root",)


@pytest.mark.parametrize("source", sorted(catalogue.SOURCES))
def test_module_docstrings_name_the_files_the_shape_and_the_source(source):
    text = importlib.import_module(f"miatlas.populations.{source}").__doc__
    entry = catalogue.SOURCES[source]
    assert text.startswith(f"{source}: ")
    if source in OWN:
        return
    assert "Source: " in text
    assert entry.shape[0] is None or f"{entry.shape[0]:,}" in text or source == "imagenet"
    for folder in {file.path.split("/")[0] for file in entry.files}:
        assert f"{folder}/" in text


def test_it_imports_nothing_heavy():
    code = (
        "import sys; from miatlas.populations import source_files; "
        "print(sorted({'numpy', 'pandas', 'torch', 'torchvision'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parents[1])}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert run.stdout.decode().strip() == "[]", run.stderr.decode()


def test_checksums_are_those_of_torchvision():
    for source, dataset in (("cifar10", datasets.CIFAR10), ("cifar100", datasets.CIFAR100)):
        published = dict(dataset.train_list + dataset.test_list)
        published[dataset.meta["filename"]] = dataset.meta["md5"]
        ours = {Path(f.path).name: f.checksum for f in catalogue.SOURCES[source].files}
        assert ours == {name: f"md5:{md5}" for name, md5 in published.items()}
        assert all(f.path.startswith(dataset.base_folder) for f in catalogue.SOURCES[source].files)
    for source, dataset in (("mnist", datasets.MNIST), ("fashion_mnist", datasets.FashionMNIST)):
        names = [f"{Path(f.path).name}.gz" for f in catalogue.SOURCES[source].files]
        assert names == [archive for archive, _ in dataset.resources]


def test_a_message_names_the_file_the_place_and_the_origin(tmp_path):
    (tmp_path / "adult").mkdir()
    (tmp_path / "adult" / "adult.data").write_text("")
    (message,) = source_files.missing_files("adult", {"missing": "drop"}, tmp_path)
    assert "adult: missing file adult.test" in message
    assert str(tmp_path / "adult" / "adult.test") in message
    assert "https://archive.ics.uci.edu/dataset/2/adult" in message
    assert "Becker and Kohavi" in message
    assert "\n" not in message


def test_nothing_is_missing_that_can_be_downloaded_or_needs_no_file(tmp_path):
    for source, entry in catalogue.SOURCES.items():
        if entry.downloadable:
            assert source_files.missing_files(source, {"download": True}, tmp_path) == []
            assert source_files.missing_files(source, {}, tmp_path) == []
            lost = source_files.missing_files(source, {"download": False}, tmp_path)
            assert len(lost) == len(entry.files) > 0
    assert source_files.missing_files("digits", {}, tmp_path) == []


def test_a_folder_must_be_a_folder_and_a_file_a_file(tmp_path):
    for part in ("train", "valid", "test"):
        (tmp_path / "cinic10" / part).mkdir(parents=True)
    (tmp_path / "location30" / "bangkok").mkdir(parents=True)
    assert source_files.missing_files("cinic10", {}, tmp_path) == []
    assert "missing file bangkok" in source_files.missing_files("location30", {}, tmp_path)[0]
    (tmp_path / "imagenet").mkdir()
    (tmp_path / "imagenet" / "train").write_text("")
    messages = source_files.missing_files("imagenet", {}, tmp_path)
    assert ["missing folder" in message for message in messages] == [True, True]


def test_a_users_own_file_is_relative_to_data_root_or_absolute(tmp_path):
    (tmp_path / "mine.npz").write_bytes(b"")
    for path in ("mine.npz", str(tmp_path / "mine.npz")):
        assert source_files.missing_files("npz", {"path": path}, tmp_path) == []
    (message,) = source_files.missing_files("hdf5", {"path": "a/b.h5"}, tmp_path)
    assert str(tmp_path / "a" / "b.h5") in message


def test_verify_accepts_the_right_sum_and_names_the_file_of_a_wrong_one(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    for algorithm in ("md5", "sha256"):
        right = hashlib.new(algorithm, b"content").hexdigest()
        source_files.verify(path, f"{algorithm}:{right}")
        source_files.verify(path, f"{algorithm}:{right.upper()}")
        path.write_bytes(b"conten")
        with pytest.raises(ValueError, match="wrong checksum") as caught:
            source_files.verify(path, f"{algorithm}:{right}")
        assert str(path) in str(caught.value)
        assert right in str(caught.value)
        path.write_bytes(b"content")
    source_files.verify(path, "")


def test_located_refuses_before_reading(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"german\.data"):
        source_files.located("german_credit", {}, tmp_path)
    (tmp_path / "german_credit").mkdir()
    (tmp_path / "german_credit" / "german.data").write_text("A11 6\n")
    with pytest.raises(ValueError, match="wrong checksum"):
        source_files.located("german_credit", {}, tmp_path)


def test_shapes_are_compared_with_the_published_ones():
    catalogue.expect_shape("cifar10", (60_000, 3, 32, 32), "here")
    catalogue.expect_shape("cinic10", (270_000, 3, 64, 64), "here")
    for shape in ((59_999, 3, 32, 32), (60_000, 3, 32), (60_000, 3, 32, 32, 1)):
        with pytest.raises(ValueError, match="here: wrong shape: cifar10 has 60000 x 3 x 32 x 32"):
            catalogue.expect_shape("cifar10", shape, "here")
