"""german_credit: 1,000 loan applicants, 20 attributes; is the credit risk good or bad?

File: german_credit/german.data (the symbolic form, not german.data-numeric), checked by its MD5
sum. 7 numeric and 13 categorical attributes; target 1 is good (700), 2 is bad (300); no official
test set, but shi2024's released code tests on the last 200 rows, and takes the other parts of the
first 800.
Source: Hofmann 1994, Statlog (German Credit Data), UCI Machine Learning Repository.
"""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd

from miatlas.options import between
from miatlas.populations import catalogue, source_files
from miatlas.populations.base import Population
from miatlas.populations.tabular import encode, read_table

ATTRIBUTES = [
    "checking-status", "duration", "credit-history", "purpose", "credit-amount", "savings",
    "employment", "installment-rate", "personal-status-sex", "other-debtors", "residence-since",
    "property", "age", "other-installment-plans", "housing", "existing-credits", "job",
    "people-liable", "telephone", "foreign-worker",
]  # fmt: skip
NUMERIC = [
    "duration", "credit-amount", "installment-rate", "residence-since", "age", "existing-credits",
    "people-liable",
]  # fmt: skip
CATEGORICAL = [name for name in ATTRIBUTES if name not in NUMERIC]
FROM_ZERO = (3, 4)  # attributes whose categories are numbered from 0: A30, A40


def load(
    data_root: Path,
    *,
    encoding: Literal["one_hot", "codes"] = "one_hot",
    test_rows: Annotated[int, between(0, 999)] = 0,
) -> Population:
    """Return the population, of whose rows the last `test_rows` are an official test set.

    `encoding`: "one_hot" makes 61 features, "codes" the 20 of shi2024's released code: a category
    is its number in UCI's list of its attribute, A11 and A30 being 0, and every column is divided
    by its largest value (`standardise: none` leaves it at that). FileNotFoundError or ValueError
    name a missing or damaged file.
    """
    (path,) = source_files.located("german_credit", {}, data_root)
    types = {name: str if name in CATEGORICAL else np.float64 for name in ATTRIBUTES}
    names = [*ATTRIBUTES, "risk"]
    frame = read_table(path, sep=r"\s+", names=names, dtype={**types, "risk": np.int64})
    catalogue.expect_shape("german_credit", frame[ATTRIBUTES].shape, path)
    if not frame["risk"].isin([1, 2]).all():
        raise ValueError(f"{path}: targets other than 1 (good) and 2 (bad)")
    attributes = frame[ATTRIBUTES]
    x, columns = coded(attributes) if encoding == "codes" else encode(attributes, CATEGORICAL)
    return Population(
        x=x,
        labels=frame["risk"].to_numpy(np.int64) - 1,
        test=np.arange(len(x)) >= len(x) - test_rows,
        class_names=["good", "bad"],
        source=catalogue.provenance("german_credit"),
        encoding=columns,
    )


def coded(frame: pd.DataFrame) -> tuple[np.ndarray, dict]:
    """Return the attributes (N, 20) as numbers in [0, 1], and no encoding: each is one column."""
    numbers = frame.copy()
    for place, name in enumerate(ATTRIBUTES, 1):
        if name in CATEGORICAL:
            first = 0 if place in FROM_ZERO else 1
            numbers[name] = frame[name].str.removeprefix(f"A{place}").astype(int) - first
    x = numbers.to_numpy(np.float64)
    largest = x.max(axis=0)
    return (x / np.where(largest > 0, largest, 1)).astype(np.float32), {}
