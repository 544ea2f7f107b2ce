"""iid: each model draws its training set from the pool by itself (ye2022)."""

from typing import Annotated

import numpy as np

from miatlas.designs.base import Membership, enough, sample
from miatlas.options import positive


def draw(
    pool,
    models,
    draws,
    like: Membership | None = None,
    *,
    size: Annotated[int, positive] | None = None,
    size_of: str | None = None,
) -> Membership:
    """Each model draws `size` examples of the pool without replacement (ye2022).

    In place of a size, `size_of` names a cohort whose models' own size is taken (their mean), and
    whose members and non-members are drawn from: models to compare a released one with. `like` is
    its membership.
    """
    known = np.ones(len(pool), bool) if like is None else like.evaluated.any(0)
    size = like.size if size_of else size
    enough(size, known.sum(), "iid: size")
    member = np.zeros((len(models), len(pool)), bool)
    for row, m in zip(member, models, strict=True):
        row[known] = sample(draws("iid", m), int(known.sum()), size)
    return Membership(member, np.broadcast_to(known, member.shape), size)


def complaint(models: int, options: dict) -> str | None:
    """Any number of models will do, of one size."""
    given = [key for key in ("size", "size_of") if options.get(key) is not None]
    return None if len(given) == 1 else "design needs either a size, or size_of a cohort"
