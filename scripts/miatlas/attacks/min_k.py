"""Min-K% Prob (Shi et al. 2024): the mean log-probability of a text's least likely tokens."""

from typing import Annotated

import numpy as np

from miatlas.attacks.shared.token_ranks import lowest_mean
from miatlas.audits.attack import Attack, reads
from miatlas.options import between

ATTACK = Attack(
    title="Min-K% Prob",
    authors="Shi et al.",
    year=2024,
    source="Detecting Pretraining Data from Large Language Models (ICLR 2024), Eq. 1",
    score=[reads("target_tokens")],
)


def score(
    target_tokens, *, share: Annotated[float, between(0, 1)] = 0.2
) -> np.ndarray:  # (N, L, 3) -> (N,)
    """Return the mean of log p(x_t | x_1 ... x_{t-1}) over the lowest tokens; higher = member.

    A text that was not trained on has a few words that surprise the model; in one that was, there
    are none. target_tokens (N, L, 3) are the answers to the probe `tokens`, whose first is log p.

    `share`: how many of the L tokens count, as a share (rounded, one at least); the paper's best is
    0.2, and 1 is the LOSS attack.
    """
    return lowest_mean(target_tokens[..., 0].astype(np.float64), share)
