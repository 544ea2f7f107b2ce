"""location30: 5,010 users' check-ins in Bangkok, 446 binary features, 30 classes of user.

File: location30/bangkok, one row a user: the class (1 to 30, in quotes), then 446 zeros and ones;
checked by its MD5 sum. No official test set.
Source: Shokri, Stronati, Song and Shmatikov 2017, from Foursquare check-ins of Yang et al. 2015.
"""

from pathlib import Path

import numpy as np

from miatlas.populations import source_files
from miatlas.populations.base import Population
from miatlas.populations.tabular import binary_population, read_table


def load(data_root: Path) -> Population:
    """Return the population; FileNotFoundError or ValueError name a missing or damaged file."""
    (path,) = source_files.located("location30", {}, data_root)
    table = read_table(path, dtype=np.uint8).to_numpy()
    return binary_population("location30", table[:, 1:], table[:, 0], path)
