"""Per-class hardness (Carlini et al. 2022, §V-C): the loss, thresholded or scaled by its class."""

from typing import Literal

import numpy as np

from miatlas.attacks.shared.class_moments import look_up, moments, normals
from miatlas.audits.attack import Attack, reads
from miatlas.signals.statistics import loss_from_phi

ATTACK = Attack(
    title="Per-class hardness",
    authors="Carlini et al.",
    year=2022,
    source="carlini2022 §V-C",
    score=[reads("target_phi", "labels")],
    fit=[reads("labels", "refs_phi", "refs_in", "refs_out")],
    learns=True,
    shares_pass=True,
    hardness="class",
)


def score(
    target_phi, labels, fitted, *, rule: Literal["threshold", "scale"] = "threshold"
) -> np.ndarray:
    """Return -(loss - tau_y), or -loss / tau_y, (N,); higher = member.

    tau_y is the midpoint of the mean loss of the shadow models' members of the class and of that of
    their non-members: a threshold per class is where `sablayrolles` would put one if it could not
    tell examples apart. target_phi (N, Q), query 0 of it.

    `rule`: the loss less tau_y, or divided by it.
    """
    loss, tau = loss_from_phi(target_phi[:, 0]), look_up(fitted, labels)
    return -(loss - tau) if rule == "threshold" else -loss / tau


def summarise(lesson, **_) -> tuple[dict, dict]:
    """Return the moments of members' and of others' losses by class; refs_phi (R, n, Q)."""
    losses = loss_from_phi(lesson.refs_phi[..., 0])
    return tuple(moments(lesson.labels, losses, m) for m in (lesson.refs_in, lesson.refs_out))


def fit(summaries, **_) -> dict[int, float]:
    """Return tau of each class."""
    sides = (normals(summary[kind] for summary in summaries) for kind in (0, 1))
    mu_in, mu_out = ({y: mu for y, (mu, _) in side.items()} for side in sides)
    both = mu_in.keys() & mu_out.keys()
    return {y: max((mu_in[y] + mu_out[y]) / 2, np.finfo(float).tiny) for y in both}
