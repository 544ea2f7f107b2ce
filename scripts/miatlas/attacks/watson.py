"""Difficulty calibration (Watson et al. 2021; carlini2022 §V-C): the loss less its OUT mean."""

from typing import Literal

import numpy as np

from miatlas.attacks.shared.gaussian import among
from miatlas.attacks.shared.lira import ORIENTED
from miatlas.audits.attack import Attack, reads

ATTACK = Attack(
    title="Difficulty calibration",
    authors="Watson et al.",
    year=2021,
    source="carlini2022 §V-C",
    score=[reads("target_phi", "refs_phi", "refs_out")],
    hardness="example",
)


def score(
    target_phi, refs_phi, refs_out, *, statistic: Literal["loss", "logit"] = "loss"
) -> np.ndarray:
    """Return -(loss - mean OUT loss), or phi - mean OUT phi, (N,); higher = member.

    target_phi (N, Q), refs_phi (R, N, Q), refs_out (R, N); the untouched example alone.

    `statistic`: the loss, or the `logit` phi in its place.
    """
    observed = ORIENTED[statistic]  # -loss or phi: turned so that members have more of it
    outs = among(refs_phi[..., 0], refs_out)
    return observed(target_phi[:, 0]) - observed(outs).mean(axis=0)
