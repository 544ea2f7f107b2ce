"""texas100: 67,330 hospital stays, binary features, 100 classes (the most frequent procedures).

Files: texas100/feats and texas100/labels, the folder texas/100 of what dataset_texas.tgz unpacks
to, renamed; a row a stay: its zeros and ones, and its class (1 to 100). The papers count 6,170
features, the released file has 6,169: both are accepted. No checksum is published; no official
test set.
Source: Shokri, Stronati, Song and Shmatikov 2017, from Texas Hospital Inpatient Discharge data.
"""

from pathlib import Path

import numpy as np

from miatlas.populations import source_files
from miatlas.populations.base import Population
from miatlas.populations.tabular import binary_population, read_table

WIDTHS = (6_169, 6_170)


def load(data_root: Path) -> Population:
    """Return the population; FileNotFoundError or ValueError name a missing or damaged file."""
    feats, labels = source_files.located("texas100", {}, data_root)
    x = read_table(feats, dtype=np.uint8).to_numpy()
    if x.shape[1] not in WIDTHS:
        raise ValueError(f"{feats}: {x.shape[1]} features, not {WIDTHS[0]} or {WIDTHS[1]}")
    y = read_table(labels, dtype=np.uint8).to_numpy()
    return binary_population("texas100", x, y[:, 0], feats)
