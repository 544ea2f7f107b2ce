"""Per-class hardness (carlini2022 §V-C): the loss, thresholded or scaled by its class."""

from typing import Literal

import numpy as np

from miatlas.attacks.by_class import Moments, look_up
from miatlas.attacks.gaussian import among
from miatlas.statistics import loss_from_phi


def score(
    target_phi, labels, refs_phi, refs_in, refs_out, fitted,
    *, rule: Literal["threshold", "scale"] = "threshold",
) -> np.ndarray:  # fmt: skip
    """Return -(loss - tau_y), or -loss / tau_y, (N,); higher = member.

    tau_y is the midpoint of the mean IN and the mean OUT loss of the class among the references: a
    threshold per class is where `sablayrolles` would put one if it could not tell examples apart.
    target_phi (N, Q), query 0 of it; refs_phi (R, N, Q) and its masks (R, N) are for `fit`.
    """
    loss, tau = loss_from_phi(target_phi[:, 0]), look_up(fitted, labels)
    return -(loss - tau) if rule == "threshold" else -loss / tau


def fit(slices, **_) -> dict[int, float]:
    """Return tau of each class."""
    ins, outs = Moments(), Moments()
    for piece in slices:
        losses = loss_from_phi(piece.refs_phi[..., 0])
        ins.add(piece.labels, among(losses, piece.refs_in))
        outs.add(piece.labels, among(losses, piece.refs_out))
    mu_in, mu_out = ({y: mu for y, (mu, _) in side.result().items()} for side in (ins, outs))
    return {y: max((mu_in[y] + mu_out[y]) / 2, np.finfo(float).tiny) for y in mu_in}
