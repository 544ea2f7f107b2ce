"""What users bring beside one file of arrays: folders of images, pairs, and two files."""

import h5py
import numpy as np
import prepare_population
import pytest
import torch
from PIL import Image

from miatlas.populations import folders, hdf5, npz, pairs

X = np.random.default_rng(1).integers(0, 256, (8, 5, 6, 3), np.uint8)


def pictures(folder, rows, names=("cat", "dog")):
    for row in rows:
        place = folder / names[row % len(names)]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(X[row]).save(place / f"{row}.png")


# Folders -----------------------------------------------------------------------------------------


def test_a_folder_a_class_is_a_population_and_a_second_one_the_non_members(tmp_path):
    pictures(tmp_path / "in", range(4))
    pictures(tmp_path / "out", range(4, 8))
    alone = folders.load(tmp_path, path="in", size=5)
    assert (alone.class_names, alone.member) == (["cat", "dog"], None)
    assert alone.labels.tolist() == [0, 0, 1, 1]
    assert np.array_equal(alone.x[1], X[2][:, :5].transpose(2, 0, 1))  # 6 pixels wide: cut to 5
    both = folders.load(tmp_path, path="in", size=5, nonmembers=str(tmp_path / "out"))
    assert both.member.tolist() == [True] * 4 + [False] * 4
    assert not both.test.any()
    assert np.array_equal(both.x[:4], alone.x)


def test_folders_that_are_none_are_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="folders: missing folder absent"):
        folders.load(tmp_path, path="absent")
    (tmp_path / "flat").mkdir()
    Image.fromarray(X[0]).save(tmp_path / "flat" / "0.png")
    with pytest.raises(ValueError, match=r"flat\.: images lie in a folder a class"):
        folders.load(tmp_path, path="flat")
    pictures(tmp_path / "one", range(3), names=("cat",))
    with pytest.raises(ValueError, match="one: has one class only"):
        folders.load(tmp_path, path="one")
    pictures(tmp_path / "two", range(4))
    pictures(tmp_path / "others", range(4), names=("cat", "cow"))
    with pytest.raises(ValueError, match=r"others: its classes differ .*'cow', 'dog'"):
        folders.load(tmp_path, path="two", nonmembers="others")


def test_a_picture_that_unpacks_to_too_much_or_is_cut_short_is_named(tmp_path, monkeypatch):
    pictures(tmp_path / "in", range(4))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ValueError, match=r"\.png: damaged or cut short: .*decompression bomb"):
        folders.load(tmp_path, path="in", size=5)
    monkeypatch.undo()
    picture = tmp_path / "in" / "dog" / "1.png"
    picture.write_bytes(picture.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"1\.png: damaged or cut short"):
        folders.load(tmp_path, path="in", size=5)


# Pairs -------------------------------------------------------------------------------------------


class Pictures:
    """A data set in the form of torchvision's."""

    classes = ("cat", "dog", "cow")

    def __init__(self, made=lambda x: x):
        self.made = made

    def __len__(self):
        return len(X)

    def __getitem__(self, row):
        return self.made(X[row]), row % 2


MADE = {
    "PIL": Image.fromarray,
    "array": lambda x: x,
    "tensor": lambda x: torch.from_numpy(x).permute(2, 0, 1),
}


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_pairs_are_read_in_whatever_form_images_have(made):
    found = pairs.population(Pictures(made), "mine.py")
    assert np.array_equal(found.x, X.transpose(0, 3, 1, 2))
    assert (found.class_names, found.scale) == (["cat", "dog", "cow"], 255)
    assert found.labels.tolist() == [0, 1] * 4


def test_floats_grey_pictures_and_vectors_are_read_and_members_taken():
    tensors = pairs.population(Pictures(lambda x: torch.from_numpy(x[..., 0] / 255)[None]), "m")
    assert (tensors.x.dtype, tensors.x.shape, tensors.scale) == (np.float32, (8, 1, 5, 6), 1)
    assert pairs.population(Pictures(lambda x: x[..., 0]), "m").x.shape == (8, 1, 5, 6)
    given = Pictures(lambda x: x[0, :, 0].astype(float))
    given.member = [True, False] * 4
    vectors = pairs.population(given, "m")
    assert vectors.x.shape == (8, 6)
    assert vectors.member.tolist() == [True, False] * 4


WRONG = {
    "not pairs": (list(range(3)), "example 0 is no .image, label.: cannot unpack"),
    "no label": ([(X[0], "cat")], "example 0 is no .image, label.: invalid literal"),
    "sizes": ([(X[0], 0), (X[1][:4], 1)], r"example 1 is uint8 \(3, 4, 6\), the first uint8"),
    "nothing": ([], "its data set is empty"),
}


@pytest.mark.parametrize(("given", "said"), WRONG.values(), ids=WRONG)
def test_what_are_no_pairs_is_refused_by_example(given, said):
    with pytest.raises(ValueError, match=f"mine.py: {said}"):
        pairs.population(given, "mine.py")


DATASET = """
import numpy as np

class Mine:
    def __init__(self, folder, train):
        self.classes = ["no", "yes"]

    def __len__(self):
        return 6

    def __getitem__(self, row):
        return np.full((2, 2), row, np.uint8), row % 2

def load(data_root, *, train: bool = True):
    return Mine(data_root, train)
"""


def test_a_file_of_ones_own_may_give_pairs_in_place_of_a_population(tmp_path):
    (tmp_path / "dataset.py").write_text(DATASET)
    entry = {"source": str(tmp_path / "dataset.py"), "options": {}}
    found = prepare_population.load(entry, str(tmp_path))
    assert (found.x.shape, found.class_names) == ((6, 1, 2, 2), ["no", "yes"])
    (tmp_path / "other.py").write_text("def load(data_root):\n    return 3\n")
    with pytest.raises(ValueError, match=r"no sequence of \(image, label\), but what is a int"):
        prepare_population.load({"source": str(tmp_path / "other.py"), "options": {}}, ".")


# Two files, and classes without an example -------------------------------------------------------

FORMATS = [(npz, "npz"), (hdf5, "h5")]
ARRAYS = {"x": X.transpose(0, 3, 1, 2), "labels": np.arange(8) % 2}


def write(path, arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
        return
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
def test_members_and_others_may_be_two_files(tmp_path, module, suffix):
    one, other = f"in.{suffix}", f"out.{suffix}"
    write(tmp_path / one, {name: array[:3] for name, array in ARRAYS.items()})
    write(tmp_path / other, {name: array[3:] for name, array in ARRAYS.items()})
    found = module.load(tmp_path, path=one, nonmembers=other)
    assert found.member.tolist() == [True] * 3 + [False] * 5
    assert np.array_equal(found.x, ARRAYS["x"])
    assert found.labels.tolist() == ARRAYS["labels"].tolist()


SECOND = {
    "another shape": (ARRAYS | {"x": ARRAYS["x"][:, :, :4]}, "x is uint8 (8, 3, 4, 6), in"),
    "another type": (ARRAYS | {"x": ARRAYS["x"] / 255}, "x is float64"),
    "more arrays": (ARRAYS | {"test": np.zeros(8, bool)}, "its arrays differ from those of"),
    "members": (ARRAYS | {"member": np.ones(8, bool)}, "leave the array member"),
}


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
@pytest.mark.parametrize(("second", "said"), SECOND.values(), ids=SECOND)
def test_a_second_file_of_another_kind_is_refused_by_name(tmp_path, module, suffix, second, said):
    write(tmp_path / f"in.{suffix}", ARRAYS)
    write(tmp_path / f"out.{suffix}", second)
    with pytest.raises(ValueError, match="out") as refused:
        module.load(tmp_path, path=f"in.{suffix}", nonmembers=f"out.{suffix}")
    assert said in str(refused.value)
    with pytest.raises(FileNotFoundError, match="missing file absent"):
        module.load(tmp_path, path=f"in.{suffix}", nonmembers=f"absent.{suffix}")


@pytest.mark.parametrize(("module", "suffix"), FORMATS)
def test_classes_may_be_more_than_have_an_example(tmp_path, module, suffix):
    path = f"mine.{suffix}"
    write(tmp_path / path, ARRAYS | {"labels": ARRAYS["labels"] * 3})
    assert len(module.load(tmp_path, path=path, classes=10).class_names) == 10
    with pytest.raises(ValueError, match="say how many there are"):
        module.load(tmp_path, path=path)
    with pytest.raises(ValueError, match="has the label 3, but classes: 3"):
        module.load(tmp_path, path=path, classes=3)
    write(tmp_path / path, ARRAYS | {"class_names": np.array([b"no", b"yes"])})
    with pytest.raises(ValueError, match="class_names has 2 names, but classes: 3"):
        module.load(tmp_path, path=path, classes=3)
