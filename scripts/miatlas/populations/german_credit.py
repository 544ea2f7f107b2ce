"""german_credit: 1,000 loan applicants, 20 attributes; is the credit risk good or bad?

File: german_credit/german.data (the symbolic form, not german.data-numeric), checked by its MD5
sum. 7 numeric and 13 categorical attributes; target 1 is good (700), 2 is bad (300); no official
test set.
Source: Hofmann 1994, Statlog (German Credit Data), UCI Machine Learning Repository.
"""

from pathlib import Path

import numpy as np

from miatlas.populations import catalogue
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


def load(data_root: Path) -> Population:
    """Return the population; FileNotFoundError or ValueError name a missing or damaged file."""
    (path,) = catalogue.located("german_credit", {}, data_root)
    types = {name: str if name in CATEGORICAL else np.float64 for name in ATTRIBUTES}
    names = [*ATTRIBUTES, "risk"]
    frame = read_table(path, sep=r"\s+", names=names, dtype={**types, "risk": np.int64})
    catalogue.expect_shape("german_credit", frame[ATTRIBUTES].shape, path)
    if not frame["risk"].isin([1, 2]).all():
        raise ValueError(f"{path}: targets other than 1 (good) and 2 (bad)")
    x, encoding = encode(frame[ATTRIBUTES], CATEGORICAL)
    return Population(
        x=x,
        labels=frame["risk"].to_numpy(np.int64) - 1,
        test=np.zeros(len(x), bool),
        class_names=["good", "bad"],
        source=catalogue.provenance("german_credit"),
        encoding=encoding,
    )
