"""RAPID (He et al. 2024): a classifier of members by the loss and its difficulty calibration."""

from typing import Annotated

import numpy as np

from miatlas.attacks.shared import classifiers, perceptron
from miatlas.attacks.shared.gaussian import among
from miatlas.attacks.shared.stand_ins import means_of_others
from miatlas.audits.attack import Attack, reads
from miatlas.options import positive
from miatlas.signals.statistics import loss_from_phi

ATTACK = Attack(
    title="RAPID",
    authors="He et al.",
    year=2024,
    source="he2024, as methods §3 states it",
    score=[reads("target_phi", "refs_phi", "refs_out")],
    fit=[reads("examples", "refs_phi", "refs_in", "refs_out")],
    learns=True,
    shadow="several",
    hardness="example",
)

WIDTHS = (64, 32)  # of the hidden layers; ours


def score(
    target_phi, refs_phi, refs_out, fitted,
    *,
    maximum: Annotated[int, positive] = 2000,
    epochs: Annotated[int, positive] = 50,
) -> np.ndarray:  # fmt: skip
    """Return a classifier's log-odds by [loss, loss - mean OUT loss], (N,); higher = member.

    Calibration alone names members whose loss is low for others, too, and forgets how low it is;
    the classifier sees both. It is taught by the shadow models, each in the target's place, about
    their own members and non-members. target_phi (N, Q), refs_phi (R, N, Q), query 0 of either;
    refs_out (R, N).

    `maximum`: the most members, and non-members, that it is taught by. `epochs`: passes of the
    training.
    """
    loss = loss_from_phi(target_phi[:, 0])
    outs = loss_from_phi(among(refs_phi[..., 0], refs_out)).mean(axis=0)
    return fitted.log_odds(np.stack([loss, loss - outs], axis=-1))


def fit(lessons, *, maximum, epochs) -> perceptron.Perceptron:
    """Return the classifier, taught by a sample of the shadow models' answers.

    Raises ValueError if the shadow models have no members, or no others, that two further models
    did not train on.
    """
    sample = classifiers.Sample(maximum, np.asarray)
    for lesson in lessons:
        rank = classifiers.ranks(lesson.examples, lesson.refs_phi[..., :1])
        losses = loss_from_phi(lesson.refs_phi[..., 0])
        means, known = means_of_others(losses, lesson.refs_out, rank)
        features = np.stack([losses, losses - means], axis=-1)
        for kind, mask in (("in", lesson.refs_in), ("out", lesson.refs_out)):
            sample.add(kind, features[mask & known], rank[mask & known])
    if not (sample.size("in") and sample.size("out")):
        raise ValueError("no shadow model has members, or non-members, that others are OUT of")
    pair = sample.pair("in", "out")
    is_member = np.repeat([True, False], [len(pair[0]), len(pair[1])])
    return perceptron.train(np.concatenate(pair), is_member, WIDTHS, epochs)
