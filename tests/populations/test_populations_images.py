"""Images: torchvision's layouts with small files of the real formats, and folders of images."""

import gzip
import hashlib
import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets

from miatlas.populations import (
    catalogue,
    cifar10,
    cifar100,
    cinic10,
    digits,
    fashion_mnist,
    imagenet,
    mnist,
    source_files,
)


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


class Opened(Exception):
    """Raised by a pickle that is opened although it must not be."""


class Bomb:
    def __reduce__(self):
        return (_explode, ())


def _explode():
    raise Opened


def expect(monkeypatch, source, files, shape, dataset=None):
    """Let the catalogue (and torchvision) expect `files` {path: content or None} of `shape`."""
    entry = catalogue.SOURCES[source]
    known = tuple(
        catalogue.File(path, f"md5:{md5(content)}" if content else "")
        for path, content in files.items()
    )
    monkeypatch.setitem(catalogue.SOURCES, source, replace(entry, files=known, shape=shape))
    if dataset is not None:
        sums = {path.split("/")[-1]: md5(content) for path, content in files.items()}
        for name in ("train_list", "test_list"):
            listed = [[file, sums[file]] for file, _ in getattr(dataset, name)]
            monkeypatch.setattr(dataset, name, listed)
        meta = {**dataset.meta, "md5": sums[dataset.meta["filename"]]}
        monkeypatch.setattr(dataset, "meta", meta)


def write(root, files):
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


CIFARS = [
    (cifar10, "cifar10", datasets.CIFAR10, "labels", "label_names"),
    (cifar100, "cifar100", datasets.CIFAR100, "fine_labels", "fine_label_names"),
]


def cifar_files(dataset, label_key, name_key):
    """Return (files, pixels (n, 3, 32, 32), labels): two images a file, in catalogue order."""
    generator = np.random.default_rng(0)
    files, pixels, labels = {}, [], []
    for name, _ in dataset.train_list + dataset.test_list:
        rows, marks = generator.integers(0, 256, (2, 3072), np.uint8), [len(labels) % 5, 4]
        files[f"{dataset.base_folder}/{name}"] = pickle.dumps({"data": rows, label_key: marks})
        pixels.append(rows.reshape(2, 3, 32, 32))
        labels += marks
    names = pickle.dumps({name_key: list("abcde")})
    files[f"{dataset.base_folder}/{dataset.meta['filename']}"] = names
    return files, np.concatenate(pixels), labels


@pytest.mark.parametrize(("module", "source", "dataset", "label_key", "name_key"), CIFARS)
def test_cifar_is_read_in_order(
    tmp_path, monkeypatch, module, source, dataset, label_key, name_key
):
    files, pixels, labels = cifar_files(dataset, label_key, name_key)
    expect(monkeypatch, source, files, pixels.shape, dataset)
    write(tmp_path, files)
    population = module.load(tmp_path, download=False)
    np.testing.assert_array_equal(population.x, pixels)
    assert population.x.flags.c_contiguous
    np.testing.assert_array_equal(population.labels, labels)
    np.testing.assert_array_equal(population.test, np.arange(len(labels)) >= len(labels) - 2)
    assert population.class_names == list("abcde")
    assert population.scale == 255
    assert "Krizhevsky 2009" in population.source


@pytest.mark.parametrize(("module", "source", "dataset", "label_key", "name_key"), CIFARS)
@pytest.mark.parametrize("download", [False, True])
def test_a_cifar_pickle_with_a_wrong_checksum_is_never_opened(
    tmp_path, monkeypatch, module, source, dataset, label_key, name_key, download
):
    files, pixels, _ = cifar_files(dataset, label_key, name_key)
    expect(monkeypatch, source, files, pixels.shape, dataset)
    for path in files:  # every file in turn, the class names among them
        write(tmp_path, {**files, path: pickle.dumps(Bomb())})
        with pytest.raises(ValueError, match="wrong checksum") as caught:
            module.load(tmp_path, download=download)
        assert str(tmp_path / path) in str(caught.value)
    with pytest.raises(Opened):  # the bomb does go off when it is opened
        pickle.loads(pickle.dumps(Bomb()))


def test_torchvision_itself_refuses_a_wrong_checksum_too(tmp_path, monkeypatch):
    files, pixels, _ = cifar_files(datasets.CIFAR10, "labels", "label_names")
    expect(monkeypatch, "cifar10", files, pixels.shape, datasets.CIFAR10)
    write(tmp_path, {**files, "cifar-10-batches-py/data_batch_2": pickle.dumps(Bomb())})
    monkeypatch.setattr(source_files, "verify", lambda path, checksum: None)
    with pytest.raises(RuntimeError, match="corrupted"):
        cifar10.load(tmp_path, download=False)


def test_a_cut_or_missing_cifar_file_is_named(tmp_path, monkeypatch):
    files, pixels, _ = cifar_files(datasets.CIFAR10, "labels", "label_names")
    expect(monkeypatch, "cifar10", files, pixels.shape, datasets.CIFAR10)
    write(tmp_path, files)
    path = tmp_path / "cifar-10-batches-py" / "test_batch"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="test_batch: wrong checksum"):
        cifar10.load(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="missing file test_batch") as caught:
        cifar10.load(tmp_path, download=False)
    assert str(path) in str(caught.value)


def test_a_set_of_another_shape_is_refused(tmp_path, monkeypatch):
    files, pixels, _ = cifar_files(datasets.CIFAR10, "labels", "label_names")
    expect(monkeypatch, "cifar10", files, (60_000, 3, 32, 32), datasets.CIFAR10)
    write(tmp_path, files)
    with pytest.raises(ValueError, match=f"wrong shape.* this is {len(pixels)} x 3 x 32 x 32"):
        cifar10.load(tmp_path)


def test_a_download_arrives_whole_or_not_at_all(tmp_path, monkeypatch):
    files, pixels, _ = cifar_files(datasets.CIFAR10, "labels", "label_names")
    expect(monkeypatch, "cifar10", files, pixels.shape, datasets.CIFAR10)
    root = tmp_path / "new"
    calls = []

    def download(self):
        calls.append(self.root)
        write(root / str(self.root), files)
        if len(calls) == 1:
            raise RuntimeError("connection lost")

    monkeypatch.setattr(datasets.CIFAR10, "download", download)
    with pytest.raises(FileNotFoundError, match="connection lost") as caught:
        cifar10.load(root)
    assert "missing file data_batch_1" in str(caught.value)
    assert list(root.iterdir()) == []  # nothing half-written, no leftovers
    np.testing.assert_array_equal(cifar10.load(root).x, pixels)
    cifar10.load(root)
    assert len(calls) == 2  # what is there is not downloaded again
    assert sorted(path.name for path in root.iterdir()) == ["cifar-10-batches-py"]


def idx(array: np.ndarray) -> bytes:
    """Return the array in the format of MNIST: magic number, big-endian sizes, bytes."""
    head = bytes([0, 0, 8, array.ndim])
    return head + np.array(array.shape, ">i4").tobytes() + array.astype(np.uint8).tobytes()


def idx_files(folder):
    """Return (files, pixels, labels): five training and three test images of 28×28."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (8, 28, 28), np.uint8)
    labels = generator.integers(0, 10, 8)
    parts = {"train": slice(0, 5), "t10k": slice(5, 8)}
    files = {}
    for part, rows in parts.items():
        files[f"{folder}/raw/{part}-images-idx3-ubyte"] = idx(pixels[rows])
        files[f"{folder}/raw/{part}-labels-idx1-ubyte"] = idx(labels[rows])
    return files, pixels, labels


IDX = [(mnist, "mnist", "MNIST"), (fashion_mnist, "fashion_mnist", "FashionMNIST")]


@pytest.mark.parametrize(("module", "source", "folder"), IDX)
def test_mnist_formats_are_read_in_order(tmp_path, monkeypatch, module, source, folder):
    files, pixels, labels = idx_files(folder)
    expect(monkeypatch, source, files, (8, 1, 28, 28))
    write(tmp_path, files)
    # A cache of torchvision's older releases has no checksum and must not be read.
    write(tmp_path, {f"{folder}/processed/{n}.pt": b"not data" for n in ("training", "test")})
    population = module.load(tmp_path, download=False)
    np.testing.assert_array_equal(population.x[:, 0], pixels)
    np.testing.assert_array_equal(population.labels, labels)
    np.testing.assert_array_equal(population.test, [False] * 5 + [True] * 3)
    assert len(population.class_names) == 10


@pytest.mark.parametrize(("module", "source", "folder"), IDX)
def test_a_damaged_mnist_file_is_refused(tmp_path, monkeypatch, module, source, folder):
    files, _, _ = idx_files(folder)
    expect(monkeypatch, source, files, (8, 1, 28, 28))
    for path, content in files.items():
        write(tmp_path, {**files, path: content[:-1]})
        with pytest.raises(ValueError, match="wrong checksum") as caught:
            module.load(tmp_path)
        assert str(tmp_path / path) in str(caught.value)


def test_without_a_checksum_the_format_and_the_archive_are_held_against_the_file(
    tmp_path, monkeypatch
):
    files, pixels, _ = idx_files("FashionMNIST")
    expect(monkeypatch, "fashion_mnist", dict.fromkeys(files), (8, 1, 28, 28))
    first, content = next(iter(files.items()))
    for wrong in (content[:-1], content[:10], b"", b"\x00\x00\x0d\x03" + content[4:]):
        write(tmp_path, {**files, first: wrong})
        with pytest.raises(ValueError, match="train-images-idx3-ubyte: damaged or cut short"):
            fashion_mnist.load(tmp_path)
    archives = {f"{path}.gz": gzip.compress(content) for path, content in files.items()}
    published = [(path.split("/")[-1], md5(content)) for path, content in archives.items()]
    monkeypatch.setattr(datasets.FashionMNIST, "resources", published)
    write(tmp_path, {**files, **archives})
    np.testing.assert_array_equal(fashion_mnist.load(tmp_path).x[:, 0], pixels)
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    write(tmp_path, {first: flipped})
    with pytest.raises(ValueError, match="train-images-idx3-ubyte: differs from"):
        fashion_mnist.load(tmp_path)
    write(tmp_path, {f"{first}.gz": gzip.compress(flipped)})
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz: wrong checksum"):
        fashion_mnist.load(tmp_path)


def test_digits_are_whole_numbers_up_to_16(tmp_path):
    population = digits.load(tmp_path)
    assert population.x.shape == (1797, 1, 8, 8)
    assert population.x.dtype == np.uint8
    assert population.x.max() == population.scale == 16
    assert not population.test.any()
    assert np.bincount(population.labels).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # the counts that UCI documents for its test part  # fmt: skip


def picture(path, colour, size=(32, 32), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


@pytest.fixture
def cinic(tmp_path, monkeypatch):
    """Write three parts of two classes with one image of CIFAR-10 and two of ImageNet each."""
    colour = 0
    for part in ("train", "valid", "test"):
        for label in ("airplane", "bird"):
            for name in ("cifar10-train-1.png", "n01-2.png", "n01-3.png"):
                picture(tmp_path / "cinic10" / part / label / name, (colour, 1, 2))
                colour += 1
            (tmp_path / "cinic10" / part / label / "notes.txt").write_text("not an image")
    monkeypatch.setattr(cinic10, "IMAGES", {"all": 18, "cifar10": 6, "imagenet": 12})
    entry = replace(catalogue.SOURCES["cinic10"], shape=(18, 3, None, None))
    monkeypatch.setitem(catalogue.SOURCES, "cinic10", entry)
    return tmp_path


def test_cinic_reads_its_folders_in_order(cinic):
    population = cinic10.load(cinic)
    assert population.x.shape == (18, 3, 32, 32)
    np.testing.assert_array_equal(population.x[:, 0, 5, 5], np.arange(18))
    np.testing.assert_array_equal(population.x[:, 2, 5, 5], 2)
    np.testing.assert_array_equal(population.labels, [0, 0, 0, 1, 1, 1] * 3)
    np.testing.assert_array_equal(population.test, np.arange(18) >= 12)
    assert population.class_names == ["airplane", "bird"]


def test_cinic_has_two_parts_and_any_size(cinic):
    of_cifar = cinic10.load(cinic, part="cifar10", size=8)
    of_imagenet = cinic10.load(cinic, part="imagenet", size=8)
    assert of_cifar.x.shape == (6, 3, 8, 8)
    np.testing.assert_array_equal(of_cifar.x[:, 0, 0, 0], [0, 3, 6, 9, 12, 15])
    colours = np.concatenate([of_cifar.x[:, 0, 0, 0], of_imagenet.x[:, 0, 0, 0]])
    assert sorted(colours) == list(range(18))


def test_cinic_says_of_which_part_an_image_is_and_sets_no_test_apart_unless_asked(cinic):
    population = cinic10.load(cinic, official_test=False)
    assert not population.test.any()
    assert [population.parts[k] for k in population.part[:3]] == ["cifar10", "imagenet", "imagenet"]
    assert np.flatnonzero(population.part == 0).tolist() == [0, 3, 6, 9, 12, 15]


def test_missing_and_damaged_images_are_named(cinic):
    path = cinic / "cinic10" / "train" / "bird" / "n01-2.png"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"n01-2\.png: damaged or cut short"):
        cinic10.load(cinic)
    path.unlink()
    with pytest.raises(ValueError, match=r"cinic10: 17 images \(all\), not 18"):
        cinic10.load(cinic)
    (path.parent / "other").mkdir()
    (path.parent).rename(path.parent.with_name("bee"))
    with pytest.raises(ValueError, match=r"valid: its classes differ.*\['bee', 'bird'\]"):
        cinic10.load(cinic)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing folder valid") as caught:
        cinic10.load(tmp_path)
    assert str(tmp_path / "cinic10" / "valid") in str(caught.value)


def test_imagenet_is_resized_on_its_shorter_side_and_cut_in_the_centre(tmp_path):
    wide = np.zeros((40, 120, 3), np.uint8)
    wide[:, 40:80] = 200  # the centre square is all that should be left
    for part in ("train", "val"):
        folder = tmp_path / "imagenet" / part / "n01440764"
        folder.mkdir(parents=True)
        Image.fromarray(wide).save(folder / "a.png")
        picture(folder / "b.JPEG", 90, (30, 50), mode="L")
    population = imagenet.load(tmp_path, size=20, complete=False)
    assert population.x.shape == (4, 3, 20, 20)
    np.testing.assert_array_equal(population.x[0, :, :, 2:-2], 200)
    np.testing.assert_allclose(population.x[1], 90, atol=2)  # grey becomes RGB
    np.testing.assert_array_equal(population.test, [False, False, True, True])
    with pytest.raises(ValueError, match="wrong shape: imagenet has 1331167"):
        imagenet.load(tmp_path, size=20)
