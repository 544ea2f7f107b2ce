"""leave_one_out: a target's training set without one example (ye2022 §4.5, attack L)."""

from typing import Annotated

import numpy as np

from miatlas.designs.base import Membership, enough
from miatlas.designs.relations import models_for_each_target
from miatlas.options import positive


def draw(
    pool,
    models,
    draws,
    targets: Membership,
    *,
    of: str,
    examples: Annotated[int, positive],
    seeds: Annotated[int, positive],
) -> Membership:
    """Each of a target's models trains on the target's own set, most of them without one example.

    `targets` is the membership of the cohort `of`. Half of the `examples` drawn for each target are
    its members: each is left out by `seeds` models. The others are judged by `seeds` models of the
    training set itself: without an example that it does not hold it stays what it is. A model is
    evaluated on what it speaks about, one member or all others. A target has
    (examples / 2 + 1) seeds models.
    """
    member, evaluated = np.zeros((2, len(models), len(pool)), bool)
    for row, about, m in zip(member, evaluated, models, strict=True):
        target, place = divmod(m, models_for_each_target(examples, seeds))
        row[:] = targets.member[target]
        kinds = np.flatnonzero(row), np.flatnonzero(~row)
        enough(examples // 2, min(map(len, kinds)), f"leave_one_out: of target {target}, examples")
        drawn = draws("leave_one_out", target)
        ins, outs = (drawn.permutation(kind)[: examples // 2] for kind in kinds)
        left_out = ins[place // seeds : place // seeds + 1]
        about[left_out if len(left_out) else outs] = True
        row[left_out] = False
    return Membership(member, evaluated, targets.size)


def complaint(models: int, options: dict) -> str | None:
    """Half of the examples are members, and every target has all its models."""
    each = models_for_each_target(options["examples"], options["seeds"])
    if options["examples"] % 2:
        return f"{options['examples']} examples are not half members, half others"
    if models % each:
        return f"{models} models are not whole targets of (examples / 2 + 1) seeds = {each}"
    return None
