"""purchase100: 197,324 shoppers, 600 products bought or not, 100 classes (clusters of shoppers).

File: purchase100/dataset_purchase, what dataset_purchase.tgz unpacks to; one row a shopper: the
class (1 to 100), then 600 zeros and ones. No checksum is published; no official test set.
Source: Shokri, Stronati, Song and Shmatikov 2017, from Kaggle's Acquire Valued Shoppers.
"""

from pathlib import Path

import numpy as np

from miatlas.populations import source_files
from miatlas.populations.base import Population
from miatlas.populations.tabular import binary_population, read_table


def load(data_root: Path) -> Population:
    """Return the population; FileNotFoundError or ValueError name a missing or damaged file."""
    (path,) = source_files.located("purchase100", {}, data_root)
    table = read_table(path, dtype=np.uint8).to_numpy()
    return binary_population("purchase100", table[:, 1:], table[:, 0], path)
