"""iid: each model draws its training set from the pool by itself (ye2022)."""

from typing import Annotated

import numpy as np

from miatlas.designs.base import Membership, enough, sample
from miatlas.options import positive


def draw(pool, models, draws, *, size: Annotated[int, positive]) -> Membership:
    """Each model draws `size` examples of the pool without replacement (ye2022)."""
    enough(size, len(pool), "iid: size")
    member = np.stack([sample(draws("iid", m), len(pool), size) for m in models])
    return Membership(member, np.ones_like(member), size)


def complaint(models: int, options: dict) -> str | None:
    """Any number of models will do."""
    return None
