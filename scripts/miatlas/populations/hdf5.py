"""hdf5: a user's own HDF5 file with datasets x, labels and, if wanted, test and class_names.

The datasets lie at the top of the file; see `user_arrays` for shapes and types.
"""

from pathlib import Path
from typing import Annotated, Literal

import h5py
import numpy as np

from miatlas.options import positive
from miatlas.populations import catalogue
from miatlas.populations.base import Population
from miatlas.populations.user_arrays import population


def load(
    data_root: Path,
    *,
    path: str,
    sha256: str | None = None,
    layout: Literal["NCHW", "NHWC"] = "NCHW",
    scale: Annotated[float, positive] | None = None,
) -> Population:
    """Return the population in the file `path` (below data_root, or absolute).

    sha256: refuse the file if its checksum is another.  layout: the order of x's axes.  scale: the
    pixel value that means 1.0 (default 255 for uint8 images, else 1).
    Raises FileNotFoundError for a missing file, ValueError for a damaged or unfit one.
    """
    (file,) = catalogue.located("hdf5", {"path": path, "sha256": sha256}, data_root)
    try:
        with h5py.File(file, "r") as store:
            arrays = {name: _values(store[name]) for name in store}
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file}: not a readable HDF5 file: {error}") from error
    return population(arrays, file, layout, scale)


def _values(dataset: h5py.Dataset) -> np.ndarray:
    return dataset.asstr()[()] if h5py.check_string_dtype(dataset.dtype) else dataset[()]
