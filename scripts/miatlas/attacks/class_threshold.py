"""Per-class hardness (carlini2022 §V-C): the loss, thresholded or scaled by its class."""

from typing import Literal

import numpy as np

from miatlas.attacks.shared.class_moments import Moments, look_up
from miatlas.signals.statistics import loss_from_phi

LESSONS = ("labels", "refs_phi", "refs_in", "refs_out")


def score(
    target_phi, labels, fitted, *, rule: Literal["threshold", "scale"] = "threshold"
) -> np.ndarray:
    """Return -(loss - tau_y), or -loss / tau_y, (N,); higher = member.

    tau_y is the midpoint of the mean loss of the shadow models' members of the class and of that of
    their non-members: a threshold per class is where `sablayrolles` would put one if it could not
    tell examples apart. target_phi (N, Q), query 0 of it.
    """
    loss, tau = loss_from_phi(target_phi[:, 0]), look_up(fitted, labels)
    return -(loss - tau) if rule == "threshold" else -loss / tau


def fit(lessons, **_) -> dict[int, float]:
    """Return tau of each class, from lessons with refs_phi (R, n, Q)."""
    ins, outs = Moments(), Moments()
    for lesson in lessons:
        losses = loss_from_phi(lesson.refs_phi[..., 0])
        ins.add(lesson.labels, losses, lesson.refs_in)
        outs.add(lesson.labels, losses, lesson.refs_out)
    mu_in, mu_out = ({y: mu for y, (mu, _) in side.result().items()} for side in (ins, outs))
    both = mu_in.keys() & mu_out.keys()
    return {y: max((mu_in[y] + mu_out[y]) / 2, np.finfo(float).tiny) for y in both}
