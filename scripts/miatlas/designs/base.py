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

from miatlas.running.seeds import rng


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


def not_whole_groups(models: int, group: int, of: int) -> str | None:
    """Say why models are not whole groups, and what could be; None if they are.

    A cohort grows by further groups of the size that it began with. `of`: what sizes of groups are
    multiples of.
    """
    if not models % group:
        return None
    can = [n for n in {models // group * group, (models // group + 1) * group} if n]
    fit = [n for n in range(of, min(group, models + 1), of) if not models % n]
    others = f"; groups of {fit[-1]} fit, and draw all models anew" if fit else ""
    numbers = " or ".join(map(str, sorted(can)))
    return (
        f"{models} models are not whole groups of {group} (design.group):"
        f" {numbers} models are{others}"
    )
