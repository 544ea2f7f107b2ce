"""npz: a user's own NumPy archive with x, labels and, if wanted, test and class_names.

Written by numpy.savez or savez_compressed; see `user_arrays` for shapes and types. Nothing is ever
unpickled: class names are an array of strings, not of objects.
"""

import zipfile
import zlib
from pathlib import Path
from typing import Annotated, Literal

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
    (file,) = catalogue.located("npz", {"path": path, "sha256": sha256}, data_root)
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file}: not a readable .npz file: no archive of arrays, or cut short")
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{file}: not a readable .npz file: {error}") from error
    return population(arrays, file, layout, scale)
