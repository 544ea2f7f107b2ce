"""half: every example is IN exactly half of each group of models (carlini2022 §V)."""

from typing import Annotated

import numpy as np

from miatlas.designs.base import Membership, not_whole_groups
from miatlas.options import positive


def draw(pool, models, draws, *, group: Annotated[int, positive] = 16) -> Membership:
    """Every example is IN exactly half of each group of `group` consecutive models.

    An example is IN where its rank among the group's uniform draws is below half the group
    (carlini2022 §V: each example in exactly half of the training sets). With `group` equal to the
    number of models this is the paper's own draw, which cannot be extended.
    """
    groups = {g: _half_group(pool, draws, g, group) for g in {m // group for m in models}}
    member = np.stack([groups[m // group][m % group] for m in models])
    return Membership(member, np.ones_like(member), len(pool) // 2)


def _half_group(pool, draws, index, group):
    uniform = draws("half", group, index).random((group, len(pool)))
    return uniform.argsort(axis=0).argsort(axis=0) < group // 2


def complaint(models: int, options: dict) -> str | None:
    """Models come in whole groups of an even size."""
    if options["group"] % 2:
        return f"groups of {options['group']} have no halves (design.group: an even number)"
    return not_whole_groups(models, options["group"], 2)
