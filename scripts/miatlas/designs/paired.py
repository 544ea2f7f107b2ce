"""paired: models 2k and 2k+1 hold complementary random halves of the pool (Zarifzadeh 2024)."""

import numpy as np

from miatlas.designs.base import Membership


def draw(pool, models, draws) -> Membership:
    """Model 2k holds a random half, model 2k + 1 the other; references never include the pair."""
    rows = []
    for m in models:
        chosen = np.zeros(len(pool), bool)
        chosen[draws("paired", m // 2).permutation(len(pool))[: len(pool) // 2]] = True
        rows.append(chosen if m % 2 == 0 else ~chosen)
    return Membership(np.stack(rows), np.ones((len(rows), len(pool)), bool), len(pool) // 2)


def complaint(models: int, options: dict) -> str | None:
    """Models come in pairs."""
    return f"{models} models are not pairs" if models % 2 else None
