"""Designs: the rule that decides which model trains on which example.

A design is a function `design(pool, models, draw, *, options) -> Membership`. `pool` holds the
indices (P,) of the examples that models may train on, `models` the indices (K,) of the models
wanted, and `draw(purpose, *index)` names a random stream of the cohort, `draw.shared(...)` one
that all cohorts of the population share. A model's row depends on its own index alone: never on
the block it is drawn in, nor on how many models the cohort has.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal, NamedTuple

import numpy as np

from miatlas.options import between, positive
from miatlas.roles import HELD_OUT, POOL, TEST
from miatlas.seeds import rng


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


def roles(test: np.ndarray, draws: Draws, *, held_out: float, test_fraction: float) -> np.ndarray:
    """Return the role (N,) of every example: POOL, HELD_OUT or TEST.

    The official test set (test (N,) bool) is TEST, with `test_fraction` of the other examples;
    `held_out` of the others is HELD_OUT: no model ever trains on it. Raises ValueError if nothing
    is left for the pool.
    """
    result = np.where(test, TEST, POOL).astype(np.uint8)
    order = draws.shared("roles").permutation(np.flatnonzero(~test))
    n_held_out, n_test = round(held_out * len(order)), round(test_fraction * len(order))
    result[order[:n_held_out]] = HELD_OUT
    result[order[n_held_out : n_held_out + n_test]] = TEST
    if not (result == POOL).any():
        raise ValueError(
            f"held_out {held_out} and test {test_fraction} leave no example to train on"
        )
    return result


def half(pool, models, draws, *, group: Annotated[int, positive] = 16) -> Membership:
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


def paired(pool, models, draws) -> Membership:
    """Models 2k and 2k+1 hold complementary random halves of the pool (Zarifzadeh 2024)."""
    rows = []
    for m in models:
        chosen = np.zeros(len(pool), bool)
        chosen[draws("paired", m // 2).permutation(len(pool))[: len(pool) // 2]] = True
        rows.append(chosen if m % 2 == 0 else ~chosen)
    return Membership(np.stack(rows), np.ones((len(rows), len(pool)), bool), len(pool) // 2)


def iid(pool, models, draws, *, size: Annotated[int, positive]) -> Membership:
    """Each model draws `size` examples of the pool without replacement (ye2022)."""
    _enough(size, len(pool), "iid: size")
    member = np.stack([_sample(draws("iid", m), len(pool), size) for m in models])
    return Membership(member, np.ones_like(member), size)


def disjoint(
    pool,
    models,
    draws,
    *,
    side: Literal["target", "shadow"],
    target_share: Annotated[float, between(0, 1)] = 0.5,
    size: Annotated[int, positive] | None = None,
) -> Membership:
    """Shadow models never see any of the target's training examples (carlini2022 §VI-D).

    The pool is cut in two, once for all cohorts of the population: targets draw `size` examples
    (default: half the part) from the first, shadow models from the second. Either side is
    evaluated on its own part.
    """
    order = draws.shared("disjoint").permutation(len(pool))
    cut = round(target_share * len(pool))
    part = order[:cut] if side == "target" else order[cut:]
    size = size or len(part) // 2
    _enough(size, len(part), f"disjoint: size of side {side}")
    member = np.zeros((len(models), len(pool)), bool)
    for row, m in zip(member, models, strict=True):
        row[draws("disjoint", m).permutation(part)[:size]] = True
    evaluated = np.zeros_like(member)
    evaluated[:, part] = True
    return Membership(member, evaluated, size)


SIX_WAY = ("target_train", "target_held_out", "shadow_train", "shadow_held_out", "reference_train")
SIX_WAY_EVALUATED = {
    "target": ("train", "held_out"), "shadow": ("train", "held_out"), "reference": (),
}  # fmt: skip


def six_way(
    pool,
    models,
    draws,
    *,
    side: Literal["target", "shadow", "reference"],
    fractions: list[float] = [0.25, 0.25, 0.15, 0.15, 0.2],
    per_target: Annotated[int, positive] = 1,
) -> Membership:
    """The pool in five parts, the sixth being the test set; sizes as in shi2024 Table 1.

    Target t has the partition t of its own; models t k .. t k + k - 1 of the cohorts `shadow` and
    `reference`, k = `per_target`, share it and train on their side's part. Targets and shadow
    models are evaluated on their train and held-out parts, reference models not at all.
    """
    parts = [six_way_parts(len(pool), draws, m // per_target, fractions) for m in models]
    member = np.stack([part == SIX_WAY.index(f"{side}_train") for part in parts])
    own = [SIX_WAY.index(f"{side}_{part}") for part in SIX_WAY_EVALUATED[side]]
    return Membership(member, np.stack([np.isin(p, own) for p in parts]), int(member[0].sum()))


def six_way_parts(n: int, draws: Draws, model: int, fractions) -> np.ndarray:
    """Return the part (n,) of each pool example in partition `model`: an index into SIX_WAY."""
    if len(fractions) != len(SIX_WAY) or sum(fractions) > 1 + 1e-9 or min(fractions) <= 0:
        raise ValueError(f"six_way: fractions must be {len(SIX_WAY)} positive shares of at most 1")
    bounds = np.round(np.cumsum(fractions) * n).astype(int)
    rank = np.empty(n, int)
    rank[draws.shared("six_way", model).permutation(n)] = np.arange(n)
    return np.searchsorted(bounds, rank, side="right")


def canaries(pool, models, draws, *, group: Annotated[int, positive] = 16) -> Membership:
    """As `half`, on a population into which canaries were inserted (carlini2022 §VII-B)."""
    return half(pool, models, draws, group=group)


def leave_one_out(
    pool,
    models,
    draws,
    targets: Membership,
    *,
    of: str,
    examples: Annotated[int, positive],
    seeds: Annotated[int, positive],
) -> Membership:
    """Target t's own training set without one example, `seeds` times (ye2022 §4.5, attack L).

    `targets` is the membership of the cohort `of`. Half of the `examples` drawn for each target are
    its members: each is left out by `seeds` models. The others are judged by `seeds` models of the
    training set itself: without an example that it does not hold it stays what it is. A model is
    evaluated on what it speaks about, one member or all others. A target has
    (examples / 2 + 1) seeds models.
    """
    member, evaluated = np.zeros((2, len(models), len(pool)), bool)
    for row, about, m in zip(member, evaluated, models, strict=True):
        target, place = divmod(m, leave_one_out_models(examples, seeds))
        row[:] = targets.member[target]
        kinds = np.flatnonzero(row), np.flatnonzero(~row)
        _enough(examples // 2, min(map(len, kinds)), f"leave_one_out: of target {target}, examples")
        drawn = draws("leave_one_out", target)
        ins, outs = (drawn.permutation(kind)[: examples // 2] for kind in kinds)
        left_out = ins[place // seeds : place // seeds + 1]
        about[left_out if len(left_out) else outs] = True
        row[left_out] = False
    return Membership(member, evaluated, targets.size)


def leave_one_out_models(examples: int, seeds: int) -> int:
    """Return the number of models that the design `leave_one_out` makes for each target."""
    return (examples // 2 + 1) * seeds


def made_for_each_target(cohort: dict) -> int | None:
    """Return how many models of a cohort (its entry) were made for each target; None: for all."""
    design = cohort.get("design", {"name": "external"})
    if cohort.get("teacher"):
        return cohort["teacher"]["students"]
    if design["name"] == "leave_one_out":
        return leave_one_out_models(design["examples"], design["seeds"])
    return design["per_target"] if design["name"] == "six_way" else None


def partners(design: str, model: int) -> set[int]:
    """Return the models of a target's own cohort that must not be references: itself, its pair."""
    return {model, model ^ 1} if design == "paired" else {model}


def complaint(name: str, options: dict, models: int) -> str | None:
    """Say why `models` models cannot be drawn by this design; None if they can."""
    if name in ("half", "canaries"):
        group = options["group"]
        if group % 2 or models % group:
            return (
                f"{models} models are not whole groups of {group}"
                " (design.group: an even number, 16 if not given)"
            )
    if name == "paired" and models % 2:
        return f"{models} models are not pairs"
    if name == "leave_one_out":
        each = leave_one_out_models(options["examples"], options["seeds"])
        if options["examples"] % 2:
            return f"{options['examples']} examples are not half members, half others"
        if models % each:
            return f"{models} models are not whole targets of (examples / 2 + 1) seeds = {each}"
    if name == "six_way" and models % options.get("per_target", 1):
        return f"{models} models are not whole targets of {options['per_target']}"
    return None


def _sample(generator, n, size):
    chosen = np.zeros(n, bool)
    chosen[generator.permutation(n)[:size]] = True
    return chosen


def _enough(size, available, what):
    if not 0 < size <= available:
        raise ValueError(f"{what} is {size}, but {available} examples are there")
