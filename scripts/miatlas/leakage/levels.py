"""The false-positive rates at which true-positive rates are measured."""

from typing import Literal, get_args

Level = Literal[1e-05, 0.0001, 0.001, 0.01, 0.1]
LEVELS = get_args(Level)
FEW = 10  # false positives allowed, below which the best threshold in hindsight is marked
