"""AMIA (Ali et al. 2023): LiRA's ratio where the shadow models tell members best, nearby."""

from typing import Literal

import numpy as np

from miatlas.attacks import lira_online
from miatlas.attacks.shared import lira
from miatlas.attacks.shared.gaussian import Pool
from miatlas.audits.attack import Attack, reads

ATTACK = Attack(
    title="AMIA",
    authors="Ali et al.",
    year=2023,
    source="ali2023, abstract, as methods §3 states it",
    score=[reads("target_perturbed", "refs_perturbed", "refs_in", "refs_out")],
    fit=[reads("refs_perturbed", "refs_in", "refs_out")],
    fits=[{"variance": "global"}],
    shares_pass=True,
    hardness="example",
)


def score(
    target_perturbed, refs_perturbed, refs_in, refs_out, fitted=None,
    *, variance: Literal["per_example", "global"] = "per_example",
) -> np.ndarray:  # fmt: skip
    """Return log N(phi; mu_in, s_in²) - log N(phi; mu_out, s_out²) at x + δ; higher = member.

    δ, |δ|∞ ≤ radius, makes the mean IN loss minus the mean OUT loss of the shadow models small, by
    projected descent along the gradient's sign; the audit's `perturbation` says how far and in how
    many steps. target_perturbed (N, 1) and refs_perturbed (R, N, 1) are phi there, masks (R, N).
    The paper's formula is not at hand, and this one ours, after its abstract.

    `variance`: the deviation of each example's own references, or `global`, one pooled over all
    examples.
    """
    return lira_online.score(
        refs_in, refs_out, fitted, target_perturbed, refs_perturbed, variance=variance
    )


def summarise(piece, **_) -> dict[str, Pool]:
    """Return the deviations pooled over the examples of a slice, of IN and of OUT references."""
    refs = piece.refs_perturbed.astype(np.float64)
    return {"in": Pool.of(refs, piece.refs_in), "out": Pool.of(refs, piece.refs_out)}


def fit(summaries, **_) -> dict[str, np.ndarray]:
    """Return the deviations pooled over all examples."""
    return lira.fit(summaries, ("in", "out"))
