"""disjoint: shadow models never see any of the target's training examples (carlini2022 §VI-D)."""

from typing import Annotated, Literal

import numpy as np

from miatlas.designs.base import Membership, enough
from miatlas.options import between, positive


def draw(
    pool,
    models,
    draws,
    *,
    side: Literal["target", "shadow"],
    target_share: Annotated[float, between(0, 1)] = 0.5,
    size: Annotated[int, positive] | None = None,
) -> Membership:
    """Targets draw from one part of the pool, shadow models from the other.

    The pool is cut in two, once for all cohorts of the population: targets draw `size` examples
    (default: half the part) from the first, shadow models from the second. Either side is
    evaluated on its own part. `side`: whose models the cohort's are; `target_share`: the share of
    the pool that is the targets' part.
    """
    order = draws.shared("disjoint").permutation(len(pool))
    cut = round(target_share * len(pool))
    part = order[:cut] if side == "target" else order[cut:]
    size = size or len(part) // 2
    enough(size, len(part), f"disjoint: size of side {side}")
    member = np.zeros((len(models), len(pool)), bool)
    for row, m in zip(member, models, strict=True):
        row[draws("disjoint", m).permutation(part)[:size]] = True
    evaluated = np.zeros_like(member)
    evaluated[:, part] = True
    return Membership(member, evaluated, size)


def complaint(models: int, options: dict) -> str | None:
    """Any number of models will do."""
    return None
