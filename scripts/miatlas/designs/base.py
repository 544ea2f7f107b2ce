"""What the designs share. A design decides which model trains on which example.

It is a module with two functions. `draw(pool, models, draws, *, options) -> Membership`: `pool`
holds the indices (P,) of the examples that models may train on, `models` the indices (K,) of the
models wanted, and `draws(purpose, *index)` names a random stream of the cohort, `draws.shared(...)`
one that all cohorts of the population share. A model's row depends on its own index alone: never on
the block it is drawn in, nor on how many models the cohort has. `complaint(models, options)` says
why a number of models cannot be drawn with these options; None if they can.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from miatlas.designs.relations import group_at, groups_until, whole_groups
from miatlas.running.seeds import rng

MOST_GROUPS = 8  # that a message writes out


class Membership(NamedTuple):
    """Rows for K models over P pool examples: trained on, evaluated when a target, nominal size."""

    member: np.ndarray
    evaluated: np.ndarray
    size: int


@dataclass(frozen=True)
class Draws:
    """Names the random streams of one cohort: `draws("half", group)` is one generator."""

    seed: int
    cohort: str
    population: str

    def __call__(self, purpose: str, *index: int | str) -> np.random.Generator:
        return rng(self.seed, purpose, self.cohort, *index)

    @property
    def shared(self):
        """Streams common to every cohort of the population: roles and partitions."""
        return partial(_shared, self.seed, self.population)


def _shared(seed, population, purpose, *index):
    return rng(seed, purpose, population, *index)


def sample(generator: np.random.Generator, n: int, size: int) -> np.ndarray:
    """Return a mask (n,) of `size` examples drawn without replacement."""
    chosen = np.zeros(n, bool)
    chosen[generator.permutation(n)[:size]] = True
    return chosen


def enough(size: int, available: int, what: str) -> None:
    """Refuse a size that is not positive, or larger than what is available."""
    if not 0 < size <= available:
        raise ValueError(f"{what} is {size}, but {available} examples are there")


def not_whole_groups(models: int, group: int | list[int], of: int) -> str | None:
    """Say why models are not whole groups, and what could be; None if they are.

    A cohort grows by further groups, of the last one's size or of another. `of`: what sizes of
    groups are multiples of.
    """
    if group == []:
        return "design.group: names no size"
    if whole_groups(group, models):
        return None
    number, first, size = group_at(group, models)
    rest, sizes = models - first, groups_until(group, models)
    can = " or ".join(str(n) for n in (first, first + size) if n)
    of_which = " and ".join(map(str, dict.fromkeys([sizes] if isinstance(sizes, int) else sizes)))
    said = f"{models} models are not whole groups of {of_which} (design.group): {can} models are"
    if 0 < number <= MOST_GROUPS and rest % of == 0:
        begun = sizes[:-1] if isinstance(sizes, list) else [sizes] * number
        return f"{said}; group: {[*begun, rest]} keeps the first {first} and draws {rest} more"
    fit = [n for n in range(of, min(size, models + 1), of) if not models % n]
    return f"{said}; groups of {fit[-1]} fit, and draw all models anew" if fit else said
