"""fashion_mnist: 70,000 grey images of clothes, 28×28, 10 classes; the last 10,000 are the test.

Files: FashionMNIST/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte. Checksums are published for
the .gz archives only: each file is held against its archive where that lies beside it.
Source: Xiao, Rasul and Vollgraf 2017, Fashion-MNIST (arXiv 1708.07747).
"""

from pathlib import Path

from torchvision import datasets

from miatlas.populations.base import Population
from miatlas.populations.torchvision_sets import load_idx


def load(data_root: Path, *, download: bool = True) -> Population:
    """Return the population, read from data_root, or downloaded there if `download` allows it.

    Raises FileNotFoundError for a missing file, ValueError for a damaged one.
    """
    return load_idx("fashion_mnist", datasets.FashionMNIST, data_root, download)
