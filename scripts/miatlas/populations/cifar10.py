"""cifar10: 60,000 colour images of 32×32 pixels, 10 classes; the last 10,000 are the test.

Files: cifar-10-batches-py/{data_batch_1..5, test_batch, batches.meta}, checked by their MD5 sums.
Source: Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images.
"""

from pathlib import Path

from torchvision import datasets

from miatlas.populations.base import Population
from miatlas.populations.torchvision_sets import load_cifar


def load(data_root: Path, *, download: bool = True) -> Population:
    """Return the population, read from data_root, or downloaded there if `download` allows it.

    Raises FileNotFoundError for a missing file, ValueError for a damaged one.
    """
    return load_cifar("cifar10", datasets.CIFAR10, data_root, download)
