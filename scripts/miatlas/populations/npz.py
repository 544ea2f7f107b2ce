"""npz: a user's own NumPy archive with x, labels and, if wanted, test and class_names.

Written by numpy.savez or savez_compressed; see `user_arrays` for shapes and types. Nothing is ever
unpickled: class names are an array of strings, not of objects.
"""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from miatlas.options import positive
from miatlas.populations import source_files
from miatlas.populations.base import Population
from miatlas.populations.two_files import joined
from miatlas.populations.user_arrays import check_names, check_room, objects, population
from miatlas.running import numpy_archives


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

    `sha256`: refuse the file if its checksum is another; `layout`: the order of images' axes, NCHW
    by default, to be said where the shape looks like another; `scale`: the pixel value that means
    1.0 (default 255 for uint8 images, else 1); `nonmembers`: a second file of the same arrays: then
    all of `path` are members; `classes`: how many there are, if not the largest label and one.
    Raises FileNotFoundError for a missing file, ValueError for a damaged or unfit one.
    """
    options = {"path": path, "sha256": sha256, "nonmembers": nonmembers}
    files = source_files.located("npz", options, data_root)
    arrays = joined([_arrays(file) for file in files], files)
    return population(arrays, files[0], layout, scale, classes)


def _arrays(file: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a file, none of which is larger than what it takes in the file."""
    check_names(numpy_archives.members(file), file)
    for name, header in numpy_archives.headers(file).items():
        if header.dtype.hasobject:
            raise objects(file, name)
        check_room(file, name, header.nbytes)
    return numpy_archives.arrays(file)
