"""digits: 1,797 handwritten digits of 8×8 pixels, 10 classes, embedded in scikit-learn.

No file is needed. x is uint8 (1797, 1, 8, 8) with values 0 to 16 (scale 16); no official test set.
Source: Alpaydin and Kaynak 1998 (UCI Optical Recognition of Handwritten Digits, its test part).
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from miatlas.populations import catalogue
from miatlas.populations.base import Population


def load(data_root: Path) -> Population:
    """Return the population; `data_root` is not read."""
    bunch = load_digits()
    x = bunch.images[:, None].astype(np.uint8)
    catalogue.expect_shape("digits", x.shape, "scikit-learn")
    return Population(
        x=x,
        labels=bunch.target.astype(np.int64),
        test=np.zeros(len(x), bool),
        class_names=[str(name) for name in bunch.target_names],
        source=catalogue.provenance("digits"),
        scale=16.0,
    )
