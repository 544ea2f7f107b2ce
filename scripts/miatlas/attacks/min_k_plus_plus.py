"""Min-K%++ (Zhang et al. 2025): as Min-K% Prob, in units of what may stand at each place."""

from typing import Annotated

import numpy as np

from miatlas.attacks.shared.gaussian import FLOOR
from miatlas.attacks.shared.token_ranks import lowest_mean
from miatlas.audits.attack import Attack, reads
from miatlas.options import between

ATTACK = Attack(
    title="Min-K%++",
    authors="Zhang et al.",
    year=2025,
    source="Min-K%++: Improved Baseline for Detecting Pre-Training Data from LLMs (ICLR 2025)",
    score=[reads("target_tokens")],
)


def score(
    target_tokens, *, share: Annotated[float, between(0, 1)] = 0.2
) -> np.ndarray:  # (N, L, 3) -> (N,)
    """Return the mean of (log p(x_t) - mu_t) / sigma_t over the lowest tokens; higher = member.

    mu_t and sigma_t are mean and deviation of log p(v) for v ~ p, the model's own law of token t:
    a word counts as likely where it is likelier than others that might stand there, so that places
    at which anything may follow are not held against a text. target_tokens (N, L, 3) are log p, mu
    and sigma, the answers to the probe `tokens`. sigma is at least 1e-6: a law of equally likely
    words has none.

    `share`: how many of the L tokens count, as a share (rounded, one at least).
    """
    log_p, mu, sigma = np.moveaxis(target_tokens.astype(np.float64), -1, 0)
    return lowest_mean((log_p - mu) / np.maximum(sigma, FLOOR), share)
