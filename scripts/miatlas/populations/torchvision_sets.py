"""What the sets that torchvision can download share: cifar10, cifar100, mnist, fashion_mnist.

Files lie below data_root in torchvision's own layout. What is not there is downloaded to a hidden
folder first and moved into place when complete and checked, so that an interrupted download is
never taken for the data; a file that is there but damaged is refused, not replaced.
"""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from torchvision.datasets.mnist import read_image_file, read_label_file

from miatlas.populations import catalogue, source_files
from miatlas.populations.base import Population


def load_cifar(source: str, dataset: type, data_root: Path, download: bool) -> Population:
    """Return CIFAR-10 or CIFAR-100, x uint8 (60000, 3, 32, 32), training part first.

    The files are pickles: every one is opened only after all their MD5 sums matched, here and
    again in torchvision.
    """
    paths = _fetched(source, dataset, data_root, download)
    parts = [dataset(str(data_root), train=train) for train in (True, False)]
    x = np.concatenate([part.data for part in parts]).transpose(0, 3, 1, 2)
    labels = [part.targets for part in parts]
    return _population(source, x, labels, parts[0].classes, paths[0].parent)


def load_idx(source: str, dataset: type, data_root: Path, download: bool) -> Population:
    """Return MNIST or Fashion-MNIST, x uint8 (70000, 1, 28, 28), training part first.

    The raw files are read, never torchvision's older cache (processed/*.pt), which has no checksum.
    """
    paths = _fetched(source, dataset, data_root, download)
    for path, (archive, md5) in zip(paths, dataset.resources, strict=True):
        _verify_unpacked(path, path.with_name(archive), md5)
    images = [_read(read_image_file, path) for path in paths[0::2]]
    labels = [_read(read_label_file, path) for path in paths[1::2]]
    x = np.concatenate(images)[:, None]
    return _population(source, x, labels, dataset.classes, paths[0].parent)


def _population(source: str, x, labels: list, class_names: list[str], place: Path) -> Population:
    catalogue.expect_shape(source, x.shape, place)
    return Population(
        x=np.ascontiguousarray(x),
        labels=np.concatenate(labels).astype(np.int64),
        test=np.repeat([False, True], [len(part) for part in labels]),
        class_names=list(class_names),
        source=catalogue.provenance(source),
        scale=255.0,
    )


def _fetched(source: str, dataset: type, data_root: Path, download: bool) -> list[Path]:
    """Return the paths of the files, downloaded if need be; FileNotFoundError if they are not."""
    root = Path(data_root)
    if download and source_files.missing_files(source, {"download": False}, root):
        root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{source}-", dir=root) as folder:
            _download(source, dataset, Path(folder), root)
    return source_files.located(source, {"download": False}, root)


def _download(source: str, dataset: type, folder: Path, root: Path) -> None:
    try:
        dataset(str(folder), download=True)
    except (OSError, RuntimeError) as error:  # no network, a wrong checksum, a disk that is full
        missing = source_files.missing_files(source, {"download": False}, root)
        raise FileNotFoundError("\n".join([*missing, f"download failed: {error}"])) from error
    top = Path(catalogue.SOURCES[source].files[0].path).parts[0]
    for path in sorted((folder / top).rglob("*")):
        target = root / path.relative_to(folder)
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)


def _verify_unpacked(path: Path, archive: Path, md5: str) -> None:
    """Hold a file against the archive that it came from, where that lies beside it."""
    if archive.is_file():
        source_files.verify(archive, f"md5:{md5}")
        if gzip.decompress(archive.read_bytes()) != path.read_bytes():
            raise ValueError(f"{path}: differs from what {archive.name} beside it holds")


def _read(reader, path: Path) -> np.ndarray:
    try:
        return reader(str(path)).numpy()
    except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: damaged or cut short: not a readable IDX file") from error
