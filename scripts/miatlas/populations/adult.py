"""adult: 48,842 people of the 1994 US census, 14 attributes; is the income above 50,000 dollars?

Files: adult/adult.data (32,561 rows) and adult/adult.test (16,281 rows, the official test set,
which begins with a line that is no data and ends its labels with a dot), checked by their MD5
sums. 6 numeric and 8 categorical attributes give 108 features.
Source: Becker and Kohavi 1996, Adult, UCI Machine Learning Repository.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from miatlas.populations import catalogue, source_files
from miatlas.populations.base import Population
from miatlas.populations.tabular import encode, read_table

CATEGORICAL = [
    "workclass", "education", "marital-status", "occupation", "relationship", "race", "sex",
    "native-country",
]  # fmt: skip
ATTRIBUTES = [
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week",
    "native-country",
]  # fmt: skip
INCOMES = ["<=50K", ">50K"]
TYPES = {name: str if name in CATEGORICAL else np.float64 for name in ATTRIBUTES}


def load(data_root: Path, *, missing: Literal["category", "drop"] = "category") -> Population:
    """Return the population, adult.data first.

    `missing`: an unknown value ("?") is a category of its own, or drops its row (45,222 rows are
    left).
    Raises FileNotFoundError for a missing file, ValueError for a damaged one.
    """
    paths = source_files.located("adult", {}, data_root)
    tables = [_read(path) for path in paths]
    frame = pd.concat(tables, ignore_index=True)
    test = np.repeat([False, True], [len(table) for table in tables])
    catalogue.expect_shape("adult", frame[ATTRIBUTES].shape, paths[0].parent)
    if missing == "drop":
        known = ~(frame[CATEGORICAL] == "?").any(axis=1).to_numpy()
        frame, test = frame[known], test[known]
    x, encoding = encode(frame[ATTRIBUTES], CATEGORICAL)
    return Population(
        x=x,
        labels=frame["income"].map(INCOMES.index).to_numpy(np.int64),
        test=test,
        class_names=INCOMES,
        source=catalogue.provenance("adult"),
        encoding=encoding,
    )


def _read(path: Path) -> pd.DataFrame:
    table = read_table(
        path,
        names=[*ATTRIBUTES, "income"],
        dtype={**TYPES, "income": str},
        comment="|",  # the first line of adult.test
        skipinitialspace=True,
    )
    table["income"] = table["income"].str.removesuffix(".")
    odd = table.index[~table["income"].isin(INCOMES)]
    if len(odd):
        found = table["income"][odd[0]]
        raise ValueError(f"{path}: row {odd[0] + 1} has income {found!r}, not one of {INCOMES}")
    return table
