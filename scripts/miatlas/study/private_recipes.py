"""The section of a recipe with differential privacy, and what such a recipe cannot be."""

import math
from typing import Annotated, Literal

from pydantic import Field

from miatlas.options import constant, inside_unit, nonnegative, positive
from miatlas.study.checking import Section
from miatlas.study.plugins import ARCHITECTURES

ORDERS = 63  # the largest order that the accountant "rdp" looks at (`training.accounting`)
CLOSEST = 0.011  # what "prv" leaves of ε with any noise: it is right to 0.01


class Privacy(Section):
    """DP-SGD (Abadi et al. 2016): Poisson sampling, clipped gradients of examples, and noise."""

    clip: Annotated[float, positive] | None = Field(
        None,
        description="C, the largest norm of an example's gradient (default: any, without noise).",
    )
    noise: Annotated[float, nonnegative] | None = Field(
        None,
        description="σ: the noise on a sum of gradients has the deviation σ C; 0 has ε = ∞.",
    )
    epsilon: Annotated[float, positive] | None = Field(
        None, description="Instead of the noise: the ε that its noise is to give each model."
    )
    delta: Annotated[float, inside_unit] = Field(
        description="δ; below 1 / training examples it means something."
    )
    accountant: Literal["rdp", "prv"] = Field(
        "rdp", description="Of Opacus: Rényi divergences, or the privacy loss itself, tighter."
    )


def described(privacy: dict | None) -> str:
    """Return what is known of a recipe's privacy before its noise is found, or its ε; or ""."""
    if not privacy:
        return ""
    clip = "none" if privacy["clip"] is None else f"{privacy['clip']:g}"
    known = "noise" if privacy["epsilon"] is None else "epsilon"
    letter = {"noise": "σ", "epsilon": "ε"}[known]
    return f" (DP-SGD, {letter} = {privacy[known]:g}, δ = {privacy['delta']:g}, clip {clip})"


def complaint(recipe: dict) -> str | None:
    """Say, by the key at fault, what is wrong with a recipe that has `privacy`; None if nothing."""
    return _incomplete(recipe["privacy"]) or _unreachable(recipe["privacy"]) or _mixing(recipe)


def _incomplete(privacy):
    if (privacy["noise"] is None) == (privacy["epsilon"] is None):
        return "privacy: give either noise, or the epsilon that it is found for"
    if privacy["clip"] is None and privacy["noise"] != 0:
        return "privacy.clip: noise is in units of it: give the largest norm of a gradient"
    return None


def _unreachable(privacy):
    least = least_epsilon(privacy["delta"], privacy["accountant"])
    if privacy["epsilon"] is None or privacy["epsilon"] > least:
        return None
    return (
        f"privacy.epsilon: {privacy['epsilon']:g} is not reached by any noise: the accountant"
        f" {privacy['accountant']} cannot tell less than {least:.3f} at delta {privacy['delta']:g}"
    )


def least_epsilon(delta: float, accountant: str) -> float:
    """Return the ε at δ that an accountant gives to noise without end.

    Of Rényi divergences that are 0, the largest order a gives ln((a - 1) / a) - ln(δ a) / (a - 1)
    (Balle et al. 2020, Theorem 21).
    """
    if accountant == "prv":
        return CLOSEST
    a = ORDERS
    return max(0.0, math.log((a - 1) / a) - (math.log(delta) + math.log(a)) / (a - 1))


def _mixing(recipe):
    """Nothing but the sum of clipped gradients may take in several examples."""
    name = recipe["architecture"]["name"]
    if recipe["epochs"] is None:
        return f"privacy: {name} trains itself, which is not private: take a network and epochs"
    if recipe["gradient_clip"]:
        return "gradient_clip: privacy.clip clips every example's gradient: leave this one out"
    if recipe["augmentation"]["name"] == "alternating_mirror_shift":
        return "augmentation: alternating_mirror_shift needs passes, and private batches are drawn"
    mixes = constant(ARCHITECTURES.source(name), "BATCH_NORM")
    if mixes is None or any(recipe["architecture"][key] != value for key, value in mixes.items()):
        return None
    other = "norm: group" if "norm" in mixes else "batch_norm: false" if mixes else None
    instead = f"set {other}" if other else "take another"
    return f"architecture: {name} has batch norms, which mix a batch's examples: {instead}"
