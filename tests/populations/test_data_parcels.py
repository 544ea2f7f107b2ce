"""Data in parcels come out as they were, or not at all."""

import pickle
import zipfile

import data_parcels
import numpy as np
import pytest


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "given" / data_parcels.SET
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in data_parcels.BATCHES:
        pixels = rng.integers(0, 256, (4, 3072), dtype=np.uint8).tobytes()
        (folder / name).write_bytes(pickle.dumps({"labels": [1, 2, 3, 4], "data": pixels}, 3))
    (folder / "batches.meta").write_bytes(b"names")
    return folder.parent


def test_what_is_joined_is_what_was_made(root, tmp_path):
    data_parcels.make(root, tmp_path, images=4)
    data_parcels.join(tmp_path, tmp_path / "there")
    for name in data_parcels.FILES:
        given, joined = (base / data_parcels.SET / name for base in (root, tmp_path / "there"))
        assert joined.read_bytes() == given.read_bytes()
    with zipfile.ZipFile(tmp_path / "cifar10_0.zip") as parcel:
        kept = sum(len(parcel.read(name)) for name in parcel.namelist() if name.endswith("before"))
    assert kept < 1000  # pixels are in the mosaic only


def test_a_damaged_parcel_is_refused(root, tmp_path):
    data_parcels.make(root, tmp_path, images=4)
    with zipfile.ZipFile(tmp_path / "cifar10_1.zip") as parcel:
        parts = {name: parcel.read(name) for name in parcel.namelist()}
    parts["data_batch_2.json"] = b'"another"'
    with zipfile.ZipFile(tmp_path / "cifar10_1.zip", "w") as parcel:
        for name, content in parts.items():
            parcel.writestr(name, content)
    with pytest.raises(SystemExit, match="data_batch_2 is damaged: copy the parcel again"):
        data_parcels.join(tmp_path, tmp_path / "there")


def test_other_images_are_refused(root, tmp_path):
    with pytest.raises(SystemExit, match="data_batch_1: holds no 9 images"):
        data_parcels.make(root, tmp_path, images=9)
