"""One shadow model (Salem et al. 2018, adversary 1): a classifier of members by top posteriors."""

from typing import Annotated, Literal

import numpy as np

from miatlas.attacks.shared import classifiers
from miatlas.attacks.shared.likelihoods import untouched
from miatlas.audits.attack import Attack, reads
from miatlas.options import positive

ATTACK = Attack(
    title="One shadow model",
    authors="Salem et al.",
    year=2018,
    source="salem2018, adversary 1",
    score=[reads("target_logits")],
    fit=[reads("examples", "refs_logits", "refs_in", "refs_out")],
    learns=True,
)


def score(
    target_logits, fitted,
    *,
    classifier: Literal["mlp", "linear"] = "mlp",
    posteriors: Annotated[int, positive] = 3,
    maximum: Annotated[int, positive] = 2000,
) -> np.ndarray:  # fmt: skip
    """Return the member probability of the target's largest posteriors, (N,); higher = member.

    The classifier sees the `posteriors` largest values of the confidence vector (all, if there are
    fewer classes), from the largest on, and no label. It is trained on those of the shadow model's
    own members and non-members, at most `maximum` of either and equally many. Logits (N, C), or
    with queries before C, of which the first is used; see `fit`.

    `classifier`: what learns: a network of one hidden layer, or a logistic regression.
    `posteriors`: how many of the largest confidences it sees. `maximum`: the most members, and
    non-members, that it is trained on.
    """
    largest = top(untouched(target_logits, "logits"), posteriors)
    return classifiers.probability(fitted, largest)


def top(logits: np.ndarray, posteriors: int) -> np.ndarray:  # (n, C) -> (n, d)
    """Return the largest confidences, in descending order."""
    return classifiers.descending(classifiers.confidences(logits))[:, :posteriors]


def fit(lessons, *, classifier, posteriors, maximum):
    """Return the classifier, trained on the answers (R, n, C) of one of R models, the shadow model.

    A sample is kept of every model, and the shadow model is the one whose sample has the answer of
    lowest rank: as good as drawn by lot, in the same way for any target. Models without members, or
    with nothing else, do not take part. Raises ValueError if none is left.
    """
    sample = classifiers.Sample(maximum, lambda logits: top(logits, posteriors))
    for lesson in lessons:
        logits = untouched(lesson.refs_logits, "logits", models=True)
        rank = classifiers.ranks(lesson.examples, logits)
        for kind, mask in (("in", lesson.refs_in), ("out", lesson.refs_out)):
            for model in np.flatnonzero(mask.any(axis=1)):
                own = mask[model]
                sample.add((model, kind), logits[model, own], rank[model, own])
    shadow = drawn(sample)
    return classifiers.train(classifier, *sample.pair((shadow, "in"), (shadow, "out")))


def drawn(sample) -> int:
    """Return which model is the shadow model."""
    members, others = ({model for model, k in sample.kept if k == kind} for kind in ("in", "out"))
    if not members & others:
        raise ValueError("no shadow model has both members and non-members among its examples")
    lowest = {m: min(sample.lowest((m, "in")), sample.lowest((m, "out"))) for m in members & others}
    return min(lowest, key=lowest.get)
