"""digits_mnist: handwritten digits of two collections, 8x8 pixels, 10 classes; parts digits, mnist.

The first part is scikit-learn's 1,797 digits, the second the first images of MNIST's training set,
made as those were: the ink of 32x32 pixels counted in squares of 4x4. Writers and scanners differ.
As CINIC-10, a set whose two parts have the same classes and not the same law, but a small one. x is
uint8 (N, 1, 8, 8) with values 0 to 16 (scale 16); no official test set.
Files: those of mnist, MNIST/raw/.
Source: Alpaydin and Kaynak 1998; LeCun, Bottou, Bengio and Haffner 1998.
"""

from pathlib import Path
from typing import Annotated

import numpy as np

from miatlas.options import positive
from miatlas.populations import catalogue, digits, mnist
from miatlas.populations.base import Population

PARTS = ("digits", "mnist")
INK = 128  # a pixel of MNIST with at least so much of 255 is ink


def load(
    data_root: Path, *, images: Annotated[int, positive] = 10_000, download: bool = True
) -> Population:
    """Return scikit-learn's digits and then `images` of MNIST, read as `mnist` says.

    `download`: whether what is missing of MNIST is downloaded.

    Raises FileNotFoundError for a missing file, ValueError for a damaged one and for more images
    than MNIST's training set has.
    """
    first, second = digits.load(data_root), mnist.load(data_root, download=download)
    there = int((~second.test).sum())
    if images > there:
        raise ValueError(f"digits_mnist: images: {images}, but MNIST has {there} to train on")
    x = np.concatenate([first.x, counted(second.x[:images])])
    return Population(
        x=x,
        labels=np.concatenate([first.labels, second.labels[:images]]),
        test=np.zeros(len(x), bool),
        class_names=list(first.class_names),
        source=catalogue.provenance("digits_mnist"),
        scale=16.0,
        part=np.repeat(np.arange(2, dtype=np.int16), [len(first), images]),
        parts=list(PARTS),
    )


def counted(x: np.ndarray) -> np.ndarray:
    """Return how many of 4x4 pixels are ink: (N, 1, 28, 28) -> (N, 1, 8, 8) uint8, 0 to 16."""
    ink = np.pad(x[:, 0] >= INK, ((0, 0), (2, 2), (2, 2)))
    squares = ink.reshape(len(x), 8, 4, 8, 4)
    return squares.sum(axis=(2, 4), dtype=np.uint8)[:, None]
