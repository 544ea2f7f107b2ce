"""folders: a user's own images, a folder a class.

The shorter side is resized to `size` (bilinear, antialiased) and the centre cut out, as
torchvision's Resize and CenterCrop do it: x is uint8 (N, 3, size, size), in the order of the
classes' names and of the files' in them. A released model's non-members are a second such folder.
"""

from pathlib import Path
from typing import Annotated

from miatlas.options import positive
from miatlas.populations import source_files
from miatlas.populations.base import Population
from miatlas.populations.image_folder import read_folders


def load(
    data_root: Path,
    *,
    path: str,
    size: Annotated[int, positive] = 32,
    nonmembers: str | None = None,
) -> Population:
    """Return the images below the folder `path` (below data_root, or absolute).

    `nonmembers`: a second folder with the same classes; then all of `path` are members. Raises
    FileNotFoundError for a missing folder, ValueError for one without classes, or with others, and
    for an image that cannot be read.
    """
    options = {"path": path, "nonmembers": nonmembers}
    folders = source_files.located("folders", options, data_root)
    source, test = f"folder {folders[0].name}", [False] * len(folders)
    found = read_folders(folders, size, None, source, test, members=len(folders) > 1)
    if len(found.class_names) < 2:
        raise ValueError(f"{folders[0]}: has one class only: images lie in a folder a class")
    return found
