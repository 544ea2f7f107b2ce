"""balanced: training sets of one size, in which every example is equally often, up to one.

As `iid`, but few models suffice: of 16 that draw a third each by lot, none has one example in 650.
"""

from typing import Annotated

import numpy as np

from miatlas.designs.base import Membership, enough, not_whole_groups
from miatlas.designs.relations import group_at
from miatlas.options import positive


def draw(
    pool,
    models,
    draws,
    like: Membership | None = None,
    *,
    size: Annotated[int, positive] | None = None,
    size_of: str | None = None,
    group: Annotated[int, positive] | list[Annotated[int, positive]] = 8,
) -> Membership:
    """Each model of a group has `size` examples, each example is IN equally many of the group.

    In a group of G models of n of N examples, an example is IN G n / N of them, rounded down or up
    by lot. `size_of` names a cohort whose models' own size is taken (their mean), and whose members
    and non-members are drawn from: models to compare a released one with. `like` is its membership.
    `group`: how many models, of all groups, or a list of the groups' own, whose last one goes on.
    """
    known = np.flatnonzero(like.evaluated.any(0)) if size_of else np.arange(len(pool))
    size = like.size if size_of else size
    enough(size, len(known), "balanced: size")
    places = [group_at(group, m) for m in models]
    groups = {number: _group(draws("balanced", models_of, number), len(known), size, models_of)
              for number, _, models_of in set(places)}  # fmt: skip
    member, evaluated = np.zeros((2, len(models), len(pool)), bool)
    for row, m, (number, first, _) in zip(member, models, places, strict=True):
        row[known] = groups[number][m - first]
    evaluated[:, known] = True
    return Membership(member, evaluated, size)


def _group(generator, n, size, group):
    """Return who is IN which model of a group (G, n): `size` a row, G size / n a column."""
    least, more = divmod(group * size, n)
    often = np.full(n, least)
    often[generator.permutation(n)[:more]] += 1
    member = generator.random((group, n)).argsort(axis=0).argsort(axis=0) < often
    for row in range(group - 1):  # rows are still of about this size: hand over what is too much
        excess = member[row].sum() - size
        for other in range(row + 1, group):
            giver, taker = (row, other) if excess > 0 else (other, row)
            able = generator.permutation(np.flatnonzero(member[giver] & ~member[taker]))
            moved = able[: abs(excess)]
            member[giver, moved], member[taker, moved] = False, True
            excess = member[row].sum() - size
    return member


def complaint(models: int, options: dict) -> str | None:
    """Models come in whole groups, and are of one size."""
    given = [key for key in ("size", "size_of") if options.get(key) is not None]
    if len(given) != 1:
        return "design needs either a size, or size_of a cohort"
    return not_whole_groups(models, options["group"], 1)
