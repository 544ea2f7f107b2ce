"""Which role every example of a population has in a cohort: drawn once for all of its cohorts."""

import numpy as np

from miatlas.designs.base import Draws
from miatlas.designs.roles import HELD_OUT, POOL, TEST


def assign(
    test: np.ndarray,
    draws: Draws,
    *,
    held_out: float,
    test_fraction: float,
    member: np.ndarray | None = None,
) -> np.ndarray:
    """Return the role (N,) of every example: POOL, HELD_OUT or TEST.

    The official test set (test (N,) bool) is TEST, with `test_fraction` of the other examples;
    `held_out` of the others is HELD_OUT: no model ever trains on it. Of a released model's members
    (member (N,) bool) none is either, and the shares are of the other examples. Raises ValueError
    if nothing is left for the pool.
    """
    result = np.where(test, TEST, POOL).astype(np.uint8)
    others = ~test if member is None else ~test & ~member
    order = draws.shared("roles").permutation(np.flatnonzero(others))
    n_held_out, n_test = round(held_out * len(order)), round(test_fraction * len(order))
    result[order[:n_held_out]] = HELD_OUT
    result[order[n_held_out : n_held_out + n_test]] = TEST
    if not (result == POOL).any():
        raise ValueError(
            f"held_out {held_out} and test {test_fraction} leave no example to train on"
        )
    return result
