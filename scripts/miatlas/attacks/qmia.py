"""QMIA (Bertran et al. 2023): what the target would answer about a non-member, by regression."""

from typing import Literal

import numpy as np

from miatlas.audits.attack import Attack, reads
from miatlas.audits.regressions import LEVELS

ATTACK = Attack(
    title="QMIA",
    authors="Bertran et al.",
    year=2023,
    source="bertran2023, as methods §3 states it",
    score=[
        reads("target_phi"),
        reads("target_normal_regression", law="normal"),
        reads("target_quantile_regression", law="quantile"),
    ],
    hardness="example",
)


def score(
    target_phi, target_normal_regression=None, target_quantile_regression=None,
    *,
    law: Literal["normal", "quantile"] = "normal",
    level: Literal[0.001, 0.01, 0.1] = 0.01,
) -> np.ndarray:  # fmt: skip
    """Return (phi - mu) / sigma, or phi - q, (N,); higher = member.

    One regressor for each target, and no shadow model: it is trained on held-out examples, with the
    target's own answers about them, and says of any example what the target would answer if it had
    not seen it: mu and sigma of a normal law, target_normal_regression (N, 2), or its quantiles,
    target_quantile_regression (N, 3), of which q is the one that the share `level` of non-members
    lies above. target_phi (N, Q), query 0.

    `law`: a normal law by maximum likelihood, or quantiles by the pinball loss. `level`: which of
    the quantiles; the normal law serves all levels.
    """
    phi = target_phi[:, 0].astype(np.float64)
    if law == "quantile":
        return phi - target_quantile_regression[:, LEVELS.index(level)]
    mu, sigma = target_normal_regression.T
    return (phi - mu) / sigma
