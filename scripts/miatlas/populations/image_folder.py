"""What the sets of image files share: one folder a part, one folder a class in it."""

from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
from PIL import Image
from torchvision import datasets, transforms

from miatlas.populations import catalogue, source_files
from miatlas.populations.base import Population
from miatlas.running.foreign_files import one_line

READERS = 4  # threads; decoding an image releases the interpreter lock


def load_folders(
    source: str,
    data_root: Path,
    test_part: str,
    size: int,
    wanted: Callable[[str], bool] | None,
    **parts,
) -> Population:
    """Return all images of a source's folders as uint8 (N, 3, size, size), in catalogue order.

    `test_part` is the folder that is the official test set; `wanted(path)` chooses files by name
    (None: every image); `parts` as in `read_folders`. Raises FileNotFoundError for a missing
    folder, ValueError for an image that cannot be read and for parts with different classes.
    """
    folders = source_files.located(source, {}, data_root)
    test = [folder.name == test_part for folder in folders]
    return read_folders(folders, size, wanted, catalogue.provenance(source), test, **parts)


def read_folders(
    folders: list[Path],
    size: int,
    wanted: Callable[[str], bool] | None,
    source: str,
    test: list[bool],
    members: bool = False,
    parts: list[str] = (),
    part: Callable[[str], int] | None = None,
) -> Population:
    """Return the images of folders with a folder a class in each; `test`: which are the test set.

    `members`: those of the first folder, and no others, are a released model's. `part(path)`: of
    which of `parts` an image is, if the set is made of several.
    """
    try:
        found = [datasets.ImageFolder(str(folder), is_valid_file=wanted) for folder in folders]
    except FileNotFoundError as error:
        raise ValueError(f"{one_line(error)}: images lie in a folder a class") from None
    for one in found:
        if one.classes != found[0].classes:
            odd = sorted(set(one.classes) ^ set(found[0].classes))
            raise ValueError(f"{one.root}: its classes differ from {found[0].root}: {odd[:5]}")
    paths, labels = zip(*(sample for one in found for sample in one.samples), strict=True)
    part_of = np.repeat(np.arange(len(found)), list(map(len, found)))
    return Population(
        x=_read_all(paths, size),
        labels=np.array(labels, np.int64),
        test=np.array(test)[part_of],
        class_names=list(found[0].classes),
        source=source,
        scale=255.0,
        member=part_of == 0 if members else None,
        part=np.array([part(path) for path in paths], np.int16) if part else None,
        parts=list(parts),
    )


def _read_all(paths: tuple[str, ...], size: int) -> np.ndarray:
    x = np.empty((len(paths), 3, size, size), np.uint8)
    transform = transforms.Compose([transforms.Resize(size), transforms.CenterCrop(size)])

    def fill(row: int) -> None:
        try:
            with Image.open(paths[row]) as image:
                x[row] = np.asarray(transform(image.convert("RGB"))).transpose(2, 0, 1)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(f"{paths[row]}: damaged or cut short: {error}") from error

    with ThreadPool(READERS) as pool:
        for _ in pool.imap_unordered(fill, range(len(paths)), chunksize=64):
            pass
    return x
