"""mnist: 70,000 grey digits of 28×28 pixels, 10 classes; the last 10,000 are the test.

Files: MNIST/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte, checked by their MD5 sums.
Source: LeCun, Bottou, Bengio and Haffner 1998, Gradient-Based Learning Applied to Document
Recognition.
"""

from pathlib import Path

from torchvision import datasets

from miatlas.populations.base import Population
from miatlas.populations.torchvision_sets import load_idx


def load(data_root: Path, *, download: bool = True) -> Population:
    """Return the population, read from data_root, or downloaded there if `download` allows it.

    Raises FileNotFoundError for a missing file, ValueError for a damaged one.
    """
    return load_idx("mnist", datasets.MNIST, data_root, download)
