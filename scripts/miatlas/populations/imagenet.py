"""imagenet: 1,281,167 training and 50,000 validation images of ILSVRC 2012, 1,000 classes.

Folders: imagenet/{train,val}/<synset>/*.JPEG (the validation images sorted into their synsets);
val is the official test set, class names are the synsets. The shorter side is resized to `size`
(bilinear, antialiased) and the centre cut out: x is uint8 (N, 3, size, size), 16 GB at 64 pixels.
Source: Russakovsky et al. 2015, ImageNet Large Scale Visual Recognition Challenge.
"""

from pathlib import Path
from typing import Annotated

from miatlas.options import positive
from miatlas.populations import catalogue
from miatlas.populations.base import Population
from miatlas.populations.image_folder import load_folders


def load(
    data_root: Path, *, size: Annotated[int, positive] = 64, complete: bool = True
) -> Population:
    """Return the population at `size` pixels; `complete`: false accepts a part of the images.

    Raises FileNotFoundError for a missing folder, ValueError for an unreadable image or, if the
    set should be complete, another number of images.
    """
    population = load_folders("imagenet", data_root, "val", size, None)
    if complete:
        catalogue.expect_shape("imagenet", population.x.shape, Path(data_root) / "imagenet")
    return population
