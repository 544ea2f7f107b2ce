"""What the sets of tables share: reading text files, encoding columns, binary features."""

from pathlib import Path

import numpy as np
import pandas as pd

from miatlas.populations import catalogue
from miatlas.populations.base import Population


def read_table(path: Path, **how) -> pd.DataFrame:
    """Return a text file without header, read as `pandas.read_csv(**how)`; ValueError names it."""
    try:
        return pd.read_csv(path, header=None, **how)
    except (ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
        raise ValueError(f"{path}: damaged or cut short: {error}") from error


def encode(frame: pd.DataFrame, categorical: list[str]) -> tuple[np.ndarray, dict]:
    """Return the columns as float32 features (N, d), and how they were made.

    Numeric columns come first, as they are, then the `categorical` ones, one-hot. The encoding
    lists, in order, each column's name, kind, first feature, width, and its categories if it has
    any. Raises ValueError for a missing value.
    """
    holes = frame.columns[frame.isna().any()]
    if len(holes):
        raise ValueError(f"column {holes[0]!r} has missing values")
    numeric = [name for name in frame.columns if name not in categorical]
    blocks, columns = [], []
    if numeric:
        blocks.append(frame[numeric].to_numpy(np.float64))
        columns += [{"name": name, "kind": "numeric", "width": 1} for name in numeric]
    if categorical:
        from sklearn.preprocessing import OneHotEncoder  # most of what reading a table takes

        encoder = OneHotEncoder(sparse_output=False, dtype=np.float32).fit(frame[categorical])
        blocks.append(encoder.transform(frame[categorical]))
        columns += [
            {"name": name, "kind": "categorical", "width": len(levels), "categories": list(levels)}
            for name, levels in zip(categorical, encoder.categories_, strict=True)
        ]
    first = np.cumsum([0] + [column["width"] for column in columns]).tolist()
    columns = [{**column, "first": start} for column, start in zip(columns, first, strict=False)]
    return np.hstack(blocks).astype(np.float32), {"columns": columns}


def binary_population(
    source: str, features: np.ndarray, labels: np.ndarray, place: Path
) -> Population:
    """Return a population of 0/1 features (N, d), classes 1 to C in the file, no official test set.

    The features stay as they are. Raises ValueError for a wrong shape, class or value.
    """
    catalogue.expect_shape(source, features.shape, place)
    classes = catalogue.SOURCES[source].classes
    if len(labels) != len(features):
        raise ValueError(f"{place}: {len(labels)} labels for {len(features)} examples")
    if labels.min() < 1 or labels.max() > classes:
        raise ValueError(f"{place}: classes lie outside 1 to {classes}")
    if features.max() > 1:
        raise ValueError(f"{place}: features other than 0 and 1")
    return Population(
        x=features.astype(np.float32),
        labels=labels.astype(np.int64) - 1,
        test=np.zeros(len(features), bool),
        class_names=[str(label) for label in range(1, classes + 1)],
        source=catalogue.provenance(source),
    )
