"""hdf5: a user's own HDF5 file with datasets x, labels and, if wanted, test and class_names.

The datasets lie at the top of the file; see `user_arrays` for shapes and types.
"""

from pathlib import Path
from typing import Annotated, Literal

import h5py
import numpy as np

from miatlas.options import positive
from miatlas.populations import source_files
from miatlas.populations.base import Population
from miatlas.populations.two_files import joined
from miatlas.populations.user_arrays import (
    NEEDED,
    OPTIONAL,
    check_names,
    check_room,
    population,
)
from miatlas.running.foreign_arrays import dataset

NAMES = (*NEEDED, *OPTIONAL)


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
    files = source_files.located("hdf5", options, data_root)
    arrays = joined([_read(file) for file in files], files)
    return population(arrays, files[0], layout, scale, classes)


def _read(file: Path) -> dict[str, np.ndarray]:
    try:
        with h5py.File(file, "r") as store:
            return _arrays(file, store)
    except (OSError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"{file}: not a readable HDF5 file: {error}") from error


def _arrays(file, store) -> dict[str, np.ndarray]:
    """Return the arrays at the top of a file; groups, links and the like are not read."""
    check_names([name for name in store if name in NAMES or _is_array(store, name)], file)
    found = {name: dataset(file, store, name) for name in NAMES if name in list(store)}
    for name, array in found.items():
        check_room(file, name, array.nbytes)
    return {name: _values(array) for name, array in found.items()}


def _is_array(store, name) -> bool:
    hard = isinstance(store.get(name, getlink=True), h5py.HardLink)
    return hard and isinstance(store[name], h5py.Dataset) and store[name].shape is not None


def _values(array: h5py.Dataset) -> np.ndarray:
    return (
        array.asstr("utf-8", "replace")[()] if h5py.check_string_dtype(array.dtype) else array[()]
    )
