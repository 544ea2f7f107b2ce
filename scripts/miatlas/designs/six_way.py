"""six_way: the pool in five parts, the sixth being the test set; sizes as in shi2024 Table 1."""

from typing import Annotated, Literal

import numpy as np

from miatlas.designs.base import Draws, Membership
from miatlas.options import positive

PARTS = ("target_train", "target_held_out", "shadow_train", "shadow_held_out", "reference_train")
EVALUATED = {
    "target": ("train", "held_out"), "shadow": ("train", "held_out"), "reference": (),
}  # fmt: skip


def draw(
    pool,
    models,
    draws,
    *,
    side: Literal["target", "shadow", "reference"],
    fractions: list[float] = [0.25, 0.25, 0.15, 0.15, 0.2],
    per_target: Annotated[int, positive] = 1,
) -> Membership:
    """Targets, shadow and reference models each train on a part of their own.

    Target t has the partition t of its own; models t k .. t k + k - 1 of the cohorts `shadow` and
    `reference`, k = `per_target`, share it and train on their side's part. Targets and shadow
    models are evaluated on their train and held-out parts, reference models not at all. `side`:
    whose models the cohort's are; `fractions`: the shares of the parts, in the order above.
    """
    parts = [parts_of(len(pool), draws, m // per_target, fractions) for m in models]
    member = np.stack([part == PARTS.index(f"{side}_train") for part in parts])
    own = [PARTS.index(f"{side}_{part}") for part in EVALUATED[side]]
    return Membership(member, np.stack([np.isin(p, own) for p in parts]), int(member[0].sum()))


def parts_of(n: int, draws: Draws, model: int, fractions) -> np.ndarray:
    """Return the part (n,) of each pool example in partition `model`: an index into PARTS."""
    if len(fractions) != len(PARTS) or sum(fractions) > 1 + 1e-9 or min(fractions) <= 0:
        raise ValueError(f"six_way: fractions must be {len(PARTS)} positive shares of at most 1")
    shares = np.cumsum(fractions).round(9)  # 0.13 + 0.37 is 0.25 + 0.25
    bounds = np.round(shares * n).astype(int)
    rank = np.empty(n, int)
    rank[draws.shared("six_way", model).permutation(n)] = np.arange(n)
    return np.searchsorted(bounds, rank, side="right")


def complaint(models: int, options: dict) -> str | None:
    """Every target has `per_target` models."""
    each = options["per_target"]
    return f"{models} models are not whole targets of {each}" if models % each else None
