"""table: a user's own CSV or Parquet file, a row an example, one of its columns the label.

Other columns are features: numbers as they are, all others one-hot. Labels of any kind are numbered
in their order, or in that of `classes`. A released model's members are a column of 0 and 1, or have
a file of their own.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd

from miatlas.options import positive
from miatlas.populations import columns, source_files
from miatlas.populations.base import Population
from miatlas.populations.tabular import encode


def load(
    data_root: Path,
    *,
    path: str,
    label: str,
    categorical: list[str] = [],
    drop: list[str] = [],
    member: str | None = None,
    test: str | None = None,
    nonmembers: str | None = None,
    classes: Annotated[int, positive] | list[str] | None = None,
    sha256: str | None = None,
) -> Population:
    """Return the population in the file `path` (.csv or .parquet, below data_root, or absolute).

    `label` is the column of the classes; `categorical` names columns of numbers that are none, such
    as codes (columns of text are categorical in any case); `drop` names columns that are left out.
    `member` and `test` are columns of 0 and 1: whom a released model was trained on, and the
    official test set. `nonmembers` is a second file of the same columns: then all of `path` are
    members. `classes`: all labels, in the order of the models' outputs; or how many there are, if
    they are counted from 0; not all of them need an example. `sha256`: refuse the file if its
    checksum is another. Raises FileNotFoundError for a missing file, ValueError, naming the file
    and the column, for a damaged or unfit one.
    """
    options = {"path": path, "sha256": sha256, "nonmembers": nonmembers}
    files = source_files.located("table", options, data_root)
    frames = [columns.read(file, drop) for file in files]
    _check_columns(files, frames, [label, *categorical, *drop, *filter(None, (member, test))])
    frame = pd.concat(frames, ignore_index=True)
    masks = {name: _mask(frame, name, files[0]) for name in (member, test) if name}
    known = masks.get(member)
    if nonmembers:
        known = np.arange(len(frame)) < len(frames[0])
    names, labels = _numbered(
        _labels(frame, label, files[0]), classes, f"{files[0]}: column {label!r}"
    )
    x, encoding = _features(frame.drop(columns=[label, *drop, *masks]), categorical, files[0])
    return Population(
        x=x,
        labels=labels,
        test=masks.get(test, np.zeros(len(frame), bool)),
        class_names=names,
        source=f"file {files[0].name}",
        encoding=encoding,
        member=known,
    )


def _check_columns(files, frames, named):
    there = list(frames[0].columns)
    for name in named:
        if name not in there:
            raise ValueError(f"{files[0]}: has no column {name!r}; it has {', '.join(there)}")
    for file, frame in zip(files[1:], frames[1:], strict=True):
        odd = sorted(set(frame.columns) ^ set(there))
        if odd:
            raise ValueError(f"{file}: its columns differ from those of {files[0]}: {odd[0]!r}")


def _mask(frame, name, file):
    if not frame[name].isin([0, 1]).all():
        raise ValueError(f"{file}: column {name!r} is to hold 0 and 1")
    return frame[name].to_numpy().astype(bool)


def _labels(frame, label, file):
    if frame[label].isna().any():
        raise ValueError(f"{file}: column {label!r} has missing values")
    column = frame[label]
    if column.dtype.kind == "f" and (column != column.round()).any():
        raise ValueError(f"{file}: column {label!r} holds numbers that are no classes")
    return column.to_numpy() if column.dtype.kind in "biuf" else column.astype(str).to_numpy()


def _numbered(labels, classes, column):
    """Return the names of the classes (C,), and the number of each label's (N,)."""
    found, rows = np.unique(labels, return_inverse=True)
    if len(found) < 2:
        raise ValueError(f"{column} has one value only: there is no class to tell")
    if columns.MANY < len(found) > len(rows) / 2:
        raise ValueError(
            f"{column} has {len(found):,} different values in {len(rows):,} rows: no classes"
        )
    if classes and found.dtype.kind == "f":
        found = found.astype(int)
    names = [str(name) for name in found]
    if isinstance(classes, int):
        classes = [str(number) for number in range(classes)]
    classes = classes or names
    if len(set(classes)) < len(classes):
        raise ValueError(f"{column}: classes names one twice: {', '.join(classes)}")
    if unknown := [name for name in names if name not in classes]:
        listed = f"{', '.join(classes[:10])}{', ...' if len(classes) > 10 else ''}"
        raise ValueError(f"{column} has {unknown[0]!r}, which is none of its classes: {listed}")
    return classes, np.array([classes.index(name) for name in names], np.int64)[rows]


def _features(frame, categorical, file):
    columns.check_texts(frame, categorical, file)
    text = [name for name in frame if frame[name].dtype.kind not in "biuf"]
    try:
        return encode(frame, [name for name in frame if name in {*text, *categorical}])
    except (ValueError, TypeError) as error:
        raise ValueError(f"{file}: {error}") from None
