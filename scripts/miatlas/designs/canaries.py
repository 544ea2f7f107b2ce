"""canaries: as `half`, on a population into which canaries were inserted (carlini2022 §VII-B)."""

from typing import Annotated

from miatlas.designs import half
from miatlas.designs.base import Membership
from miatlas.options import positive


def draw(
    pool,
    models,
    draws,
    *,
    group: Annotated[int, positive] | list[Annotated[int, positive]] = 16,
) -> Membership:
    """Every example, canary or not, is IN exactly half of each group of models.

    `group`: how many models, of all groups, or a list of the groups' own, whose last one goes on.
    """
    return half.draw(pool, models, draws, group=group)


def complaint(models: int, options: dict) -> str | None:
    """Models come in whole groups of an even size."""
    return half.complaint(models, options)
