"""BASE (Lassila et al. 2025): the confidence against its mean over the references, as logs."""

from typing import Annotated, Literal

import numpy as np
import scipy

from miatlas.attacks.shared.gaussian import among
from miatlas.attacks.shared.likelihoods import untouched
from miatlas.audits.attack import Attack, Not, reads
from miatlas.options import positive
from miatlas.signals.statistics import logit_scaled_confidence, loss_from_phi

ATTACK = Attack(
    title="BASE",
    authors="Lassila et al.",
    year=2025,
    source="lassila2025, as methods §3 states it",
    score=[
        reads("refs_out"),
        reads("refs_in", mode="online"),
        reads("target_phi", "refs_phi", temperature=1),
        reads("target_logits", "refs_logits", "labels", temperature=Not(1)),
    ],
    hardness="example",
)


def score(
    refs_out, refs_in=None,
    target_phi=None, refs_phi=None, target_logits=None, refs_logits=None, labels=None,
    *,
    mode: Literal["online", "offline"] = "online",
    temperature: Annotated[float, positive] = 2.0,
) -> np.ndarray:  # fmt: skip
    """Return log p_y(target) - log mean p_y(references), (N,); higher = member.

    Online the mean is (p_in + p_out) / 2, the means of the IN and of the OUT references (R, N), as
    in RMIA, whose LR(x) this is the logarithm of. RMIA at a threshold b says member where LR(x) ≥
    gamma LR(z) for the share b of z, which is where this score is at least log gamma + the
    b-quantile of log LR(z): the same examples, in the same order, without the population.

    `mode`: the mean over IN and OUT references, or over OUT ones alone. `temperature`: what
    logits are divided by before the softmax.
    """
    target, refs = (
        log_confidence(phi, logits, labels, temperature, models)
        for phi, logits, models in (
            (target_phi, target_logits, False), (refs_phi, refs_logits, True),
        )
    )  # fmt: skip
    log_p = log_mean(among(refs, refs_out))
    if mode == "online":
        log_p = np.logaddexp(log_mean(among(refs, refs_in)), log_p) - np.log(2)
    return target - log_p


def log_confidence(phi, logits, labels, temperature, models) -> np.ndarray:
    """Return log p_y of the untouched example, (N,) or with models (R, N); never rounded to log 0.

    phi at temperature 1, at others logits: of the target, or of `models` with a leading axis R.
    """
    if temperature == 1:
        return -loss_from_phi(untouched(phi, "phi", models))
    logits = untouched(logits, "logits", models).astype(np.float64) / temperature
    return -loss_from_phi(logit_scaled_confidence(logits, labels))


def log_mean(values: np.ndarray) -> np.ndarray:  # (k, N) -> (N,)
    """Return log mean exp of the values."""
    return scipy.special.logsumexp(values, axis=0) - np.log(len(values))
