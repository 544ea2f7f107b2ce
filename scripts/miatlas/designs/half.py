"""half: every example is IN exactly half of each group of models (carlini2022 §V)."""

from typing import Annotated

import numpy as np

from miatlas.designs.base import Membership, not_whole_groups
from miatlas.designs.relations import group_at
from miatlas.options import positive


def draw(
    pool,
    models,
    draws,
    *,
    group: Annotated[int, positive] | list[Annotated[int, positive]] = 16,
) -> Membership:
    """Every example is IN exactly half of each group of `group` consecutive models.

    An example is IN where its rank among the group's uniform draws is below half the group
    (carlini2022 §V: each example in exactly half of the training sets). With `group` equal to the
    number of models this is the paper's own draw. `group`: how many models, of all groups, or a
    list of the groups' own, whose last one goes on: [64, 16] adds groups of 16 to one of 64.
    """
    places = [group_at(group, m) for m in models]
    groups = {number: _half_group(pool, draws, number, size) for number, _, size in set(places)}
    rows = zip(models, places, strict=True)
    member = np.stack([groups[number][m - first] for m, (number, first, _) in rows])
    return Membership(member, np.ones_like(member), len(pool) // 2)


def _half_group(pool, draws, index, group):
    uniform = draws("half", group, index).random((group, len(pool)))
    return uniform.argsort(axis=0).argsort(axis=0) < group // 2


def complaint(models: int, options: dict) -> str | None:
    """Models come in whole groups of an even size."""
    sizes = options["group"] if isinstance(options["group"], list) else [options["group"]]
    if odd := [size for size in sizes if size % 2]:
        return f"groups of {odd[0]} have no halves (design.group: an even number)"
    return not_whole_groups(models, options["group"], 2)
