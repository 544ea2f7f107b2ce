"""npz: a user's own NumPy archive with x, labels and, if wanted, test and class_names.

Written by numpy.savez or savez_compressed; see `user_arrays` for shapes and types. Nothing is ever
unpickled: class names are an array of strings, not of objects.
"""

import math
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.lib import format as npy

from miatlas.options import positive
from miatlas.populations import catalogue
from miatlas.populations.base import Population
from miatlas.populations.two_files import joined
from miatlas.populations.user_arrays import check_names, check_room, objects, population
from miatlas.running.store import check_claim

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def load(
    data_root: Path,
    *,
    path: str,
    sha256: str | None = None,
    layout: Literal["NCHW", "NHWC"] | None = None,
    scale: Annotated[float, positive] | None = None,
    nonmembers: str | None = None,
    classes: Annotated[int, positive] | None = None,
) -> Population:
    """Return the population in the file `path` (below data_root, or absolute).

    sha256: refuse the file if its checksum is another.  layout: the order of images' axes, NCHW by
    default; to be said where the shape looks like another.  scale: the pixel value that means 1.0
    (default 255 for uint8 images, else 1).  nonmembers: a second file of the same arrays: then all
    of `path` are members.  classes: how many there are, if not the largest label and one.
    Raises FileNotFoundError for a missing file, ValueError for a damaged or unfit one.
    """
    options = {"path": path, "sha256": sha256, "nonmembers": nonmembers}
    files = catalogue.located("npz", options, data_root)
    arrays = joined([_arrays(file) for file in files], files)
    return population(arrays, files[0], layout, scale, classes)


def _arrays(file: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a file, none of which is larger than what it takes in the file."""
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file}: not a readable .npz file: no archive of arrays, or cut short")
    with _readable(file), zipfile.ZipFile(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    check_names(members, file)
    with _readable(file), zipfile.ZipFile(file) as archive:
        headers = {name: _header(archive, info) for name, info in members.items()}
    for name, (size, kind) in headers.items():
        if kind.hasobject:
            raise objects(file, name)
        check_claim(file, name, size, members[name].compress_size)
        check_room(file, name, size)
    with _readable(file), np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@contextmanager
def _readable(file):
    """Name the file in whatever is said of an archive that is damaged."""
    try:
        yield
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{file}: not a readable .npz file: {error}") from error


def _header(archive, info) -> tuple[int, np.dtype]:
    """Return the bytes that an array takes by its own header, and its type; nothing is unpacked."""
    with archive.open(info) as member:
        version = npy.read_magic(member)
        shape, _, kind = HEADERS.get(version, npy.read_array_header_2_0)(member)
    return math.prod(shape) * kind.itemsize, kind
