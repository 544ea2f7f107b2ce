"""cinic10: 270,000 colour images, 10 classes: CIFAR-10 with 210,000 images of ImageNet.

Folders: cinic10/{train,valid,test}/<class>/*.png, 90,000 images each, as the archive unpacks; test
is the official test set. Images of CIFAR-10 are named cifar10-*.png, all others are ImageNet's.
Every image is made RGB; x is uint8 (N, 3, size, size). Its parts are cifar10 and imagenet.
Source: Darlow, Crowley, Antoniou and Storkey 2018, CINIC-10 is not ImageNet or CIFAR-10.
"""

from pathlib import Path
from typing import Annotated, Literal

from miatlas.options import positive
from miatlas.populations import catalogue
from miatlas.populations.base import Population
from miatlas.populations.image_folder import load_folders

PARTS = ("cifar10", "imagenet")
IMAGES = {"all": 270_000, "cifar10": 60_000, "imagenet": 210_000}


def load(
    data_root: Path,
    *,
    size: Annotated[int, positive] = 32,
    part: Literal["all", "cifar10", "imagenet"] = "all",
    official_test: bool = True,
) -> Population:
    """Return the population, or one of its two parts (carlini2022 §VI-D, §VII-B), at `size` pixels.

    `part`: all of it, or one of those two; `official_test`: set the official test set apart; if
    not, models may train on all 270,000.
    Raises FileNotFoundError for a missing folder, ValueError for an unreadable or missing image.
    """
    test, parts = "test" if official_test else "", {"parts": PARTS, "part": _part}
    population = load_folders("cinic10", data_root, test, size, _chooser(part), **parts)
    if len(population) != IMAGES[part]:
        place = Path(data_root) / "cinic10"
        raise ValueError(f"{place}: {len(population)} images ({part}), not {IMAGES[part]}")
    if part == "all":
        catalogue.expect_shape("cinic10", population.x.shape, Path(data_root) / "cinic10")
    return population


def _chooser(part: str):
    def wanted(path: str) -> bool:
        return path.endswith(".png") and part in ("all", PARTS[_part(path)])

    return wanted


def _part(path: str) -> int:
    return PARTS.index("cifar10" if Path(path).name.startswith("cifar10-") else "imagenet")
