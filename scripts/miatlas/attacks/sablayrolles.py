"""Sablayrolles et al. 2019 (carlini2022 §V-C): the loss against a threshold for each example."""

import numpy as np

from miatlas.attacks.gaussian import among
from miatlas.statistics import loss_from_phi


def score(target_phi, refs_phi, refs_in, refs_out) -> np.ndarray:
    """Return -(loss - tau), tau = (mean IN loss + mean OUT loss) / 2; (N,), higher = member.

    target_phi (N, Q), refs_phi (R, N, Q), masks (R, N). All losses are of the untouched example;
    tau is the midpoint that carlini2022 reads for the threshold of the original paper.
    """
    loss, losses = loss_from_phi(target_phi[:, 0]), loss_from_phi(refs_phi[..., 0])
    mu_in, mu_out = among(losses, refs_in).mean(axis=0), among(losses, refs_out).mean(axis=0)
    tau = (mu_in + mu_out) / 2
    return -(loss - tau)
