"""Example threshold (Sablayrolles et al. 2019; carlini2022): a threshold of the loss for each."""

from typing import Literal

import numpy as np

from miatlas.attacks.shared.gaussian import among
from miatlas.attacks.shared.lira import ORIENTED
from miatlas.audits.attack import Attack, reads

ATTACK = Attack(
    title="Example threshold",
    authors="Sablayrolles et al.",
    year=2019,
    source="carlini2022 §V-C",
    score=[reads("target_phi", "refs_phi", "refs_in", "refs_out")],
    hardness="example",
)


def score(
    target_phi, refs_phi, refs_in, refs_out, *, statistic: Literal["loss", "logit"] = "loss"
) -> np.ndarray:
    """Return -(loss - tau), or phi - tau, tau = (mean IN + mean OUT) / 2; (N,), higher = member.

    target_phi (N, Q), refs_phi (R, N, Q), masks (R, N). All values are of the untouched example;
    tau is the midpoint that carlini2022 reads for the threshold of the original paper.

    `statistic`: the loss, or the `logit` phi in its place.
    """
    observed = ORIENTED[statistic]  # -loss or phi: turned so that members have more of it
    values = observed(refs_phi[..., 0])
    mu_in, mu_out = among(values, refs_in).mean(axis=0), among(values, refs_out).mean(axis=0)
    tau = (mu_in + mu_out) / 2
    return observed(target_phi[:, 0]) - tau
