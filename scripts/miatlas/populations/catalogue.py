"""Which files every source needs, what is known about them, and where they come from.

Read when the workflow starts, so that a missing file is named before anything runs: no numpy,
pandas or torch here. Names are those of the public releases, in the layout their usual loaders
read; a path that ends in a slash is a folder. Checksums are the published ones: torchvision's for
CIFAR and MNIST (the unpacked MNIST files were summed after their archives matched), UCI's files,
and the file in dataset_location.tgz. Where none is known, the shape alone is checked.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class File:
    """A file or folder below data_root; checksum "md5:..." or "sha256:...", empty if unknown.

    `alias`: another name that it is found under, if not under its own.
    """

    path: str
    checksum: str = ""
    alias: str = ""


@dataclass(frozen=True)
class Source:
    """One source: its files, its shape as published (None: any size), its origin and citation.

    The shape is that of the examples as they are in the files, before columns are encoded; of
    text, how many words there are.
    """

    files: tuple[File, ...]
    shape: tuple[int | None, ...]
    classes: int | None
    origin: str
    citation: str
    downloadable: bool = False


def _md5(folder: str, **names: str) -> tuple[File, ...]:
    return tuple(File(f"{folder}/{name}", f"md5:{md5}") for name, md5 in names.items())


def _wikitext(folder: str) -> tuple[File, ...]:
    parts = ("train", "valid", "test")
    return tuple(File(f"{folder}/wiki.{p}.tokens", alias=f"{folder}/{p}.txt") for p in parts)


MERITY = "Merity, Xiong, Bradbury, Socher 2016"
LOCAL_RELEASE = "https://github.com/privacytrustlab/datasets"
SHOKRI = "Shokri, Stronati, Song, Shmatikov 2017"
IDX = [f"{p}-{k}-ubyte" for p in ("train", "t10k") for k in ("images-idx3", "labels-idx1")]

SOURCES: dict[str, Source] = {
    "digits": Source(
        (), (1_797, 1, 8, 8), 10, "scikit-learn (load_digits)", "Alpaydin and Kaynak 1998"
    ),
    "cifar10": Source(
        (
            *_md5(
                "cifar-10-batches-py",
                data_batch_1="c99cafc152244af753f735de768cd75f",
                data_batch_2="d4bba439e000b95fd0a9bffe97cbabec",
                data_batch_3="54ebc095f3ab1f0389bbae665268c751",
                data_batch_4="634d18415352ddfa80567beed471001a",
                data_batch_5="482c414d41f54cd18b22e5b47cb7c3cb",
                test_batch="40351d587109b95175f43aff81a1287e",
            ),
            File("cifar-10-batches-py/batches.meta", "md5:5ff9c542aee3614f3951f8cda6e48888"),
        ),
        (60_000, 3, 32, 32), 10, "https://www.cs.toronto.edu/~kriz/cifar.html",
        "Krizhevsky 2009", downloadable=True,
    ),
    "cifar100": Source(
        _md5(
            "cifar-100-python",
            train="16019d7e3df5f24257cddd939b257f8d",
            test="f0ef6b0ae62326f3e7ffdfab6717acfc",
            meta="7973b15100ade9c7d40fb424638fde48",
        ),
        (60_000, 3, 32, 32), 100, "https://www.cs.toronto.edu/~kriz/cifar.html",
        "Krizhevsky 2009", downloadable=True,
    ),
    "mnist": Source(
        (
            File(f"MNIST/raw/{IDX[0]}", "md5:6bbc9ace898e44ae57da46a324031adb"),
            File(f"MNIST/raw/{IDX[1]}", "md5:a25bea736e30d166cdddb491f175f624"),
            File(f"MNIST/raw/{IDX[2]}", "md5:2646ac647ad5339dbf082846283269ea"),
            File(f"MNIST/raw/{IDX[3]}", "md5:27ae3e4e09519cfbb04c329615203637"),
        ),
        (70_000, 1, 28, 28), 10, "http://yann.lecun.com/exdb/mnist/",
        "LeCun, Bottou, Bengio, Haffner 1998", downloadable=True,
    ),
    "digits_mnist": Source(
        tuple(File(f"MNIST/raw/{name}") for name in IDX),
        (None, 1, 8, 8), 10, "scikit-learn (load_digits); http://yann.lecun.com/exdb/mnist/",
        "Alpaydin and Kaynak 1998; LeCun, Bottou, Bengio, Haffner 1998", downloadable=True,
    ),
    "fashion_mnist": Source(
        tuple(File(f"FashionMNIST/raw/{name}") for name in IDX),
        (70_000, 1, 28, 28), 10, "https://github.com/zalandoresearch/fashion-mnist",
        "Xiao, Rasul, Vollgraf 2017", downloadable=True,
    ),
    "cinic10": Source(
        tuple(File(f"cinic10/{part}/") for part in ("train", "valid", "test")),
        (270_000, 3, None, None), 10, "https://datashare.ed.ac.uk/handle/10283/3192",
        "Darlow, Crowley, Antoniou, Storkey 2018",
    ),
    "imagenet": Source(
        (File("imagenet/train/"), File("imagenet/val/")),
        (1_331_167, 3, None, None), 1_000, "https://image-net.org (ILSVRC 2012)",
        "Russakovsky et al. 2015",
    ),
    "adult": Source(
        _md5(
            "adult",
            **{"adult.data": "5d7c39d7b8804f071cdd1f2a7c460872"},
            **{"adult.test": "35238206dfdf7f1fe215bbb874adecdc"},
        ),
        (48_842, 14), 2, "https://archive.ics.uci.edu/dataset/2/adult",
        "Becker and Kohavi 1996, UCI Machine Learning Repository",
    ),
    "german_credit": Source(
        _md5("german_credit", **{"german.data": "6b94c2e35480e671545e52a808a8a549"}),
        (1_000, 20), 2, "https://archive.ics.uci.edu/dataset/144/statlog+german+credit+data",
        "Hofmann 1994, UCI Machine Learning Repository",
    ),
    "location30": Source(
        _md5("location30", bangkok="f4b94015d3ae5c41837f3b87ff422f09"),
        (5_010, 446), 30, f"{LOCAL_RELEASE} (dataset_location.tgz)", SHOKRI,
    ),
    "purchase100": Source(
        (File("purchase100/dataset_purchase"),),
        (197_324, 600), 100, f"{LOCAL_RELEASE} (dataset_purchase.tgz)", SHOKRI,
    ),
    "texas100": Source(
        (File("texas100/feats"), File("texas100/labels")),
        (67_330, None), 100, f"{LOCAL_RELEASE} (dataset_texas.tgz, its folder texas/100)", SHOKRI,
    ),
    "wikitext2": Source(
        _wikitext("wikitext-2"),
        (2_551_843,), 1, "https://wikitext.smerity.com/wikitext-2-v1.zip", MERITY,
    ),
    "wikitext103": Source(
        _wikitext("wikitext-103"),
        (103_690_236,), 1, "https://wikitext.smerity.com/wikitext-103-v1.zip", MERITY,
    ),
    "npz": Source((), (), None, "the option path of the configuration", "a file of your own"),
    "table": Source((), (), None, "the option path of the configuration", "a file of your own"),
    "hdf5": Source((), (), None, "the option path of the configuration", "a file of your own"),
    "folders": Source((), (), None, "the option path of the configuration", "images of your own"),
}  # fmt: skip


OWN = Source((), (), None, "a file of one's own", "its user")  # of a source that is one


def about(source: str) -> Source:
    """Return what is known of a source; of a file of one's own, nothing."""
    return SOURCES.get(source, OWN)


def provenance(source: str) -> str:
    """Return one line on where a source comes from: name, citation, address."""
    entry = SOURCES[source]
    return f"{source}: {entry.citation}; {entry.origin}"


def expect_shape(source: str, shape: tuple[int, ...], place: Path | str) -> None:
    """Raise ValueError, naming the file or folder, unless the shape is the published one."""
    expected = SOURCES[source].shape
    fits = [want in (None, have) for want, have in zip(expected, shape, strict=False)]
    if len(shape) != len(expected) or not all(fits):
        wanted = " x ".join("any" if size is None else f"{size}" for size in expected)
        found = " x ".join(map(str, shape))
        raise ValueError(f"{place}: wrong shape: {source} has {wanted}, this is {found}")
