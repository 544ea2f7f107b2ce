"""Shadow models (Shokri et al. 2017): in each class, a classifier of members by their answers."""

from typing import Annotated, Literal

import numpy as np

from miatlas.attacks.shared import classifiers
from miatlas.attacks.shared.likelihoods import untouched
from miatlas.audits.attack import Attack, reads
from miatlas.options import positive

ATTACK = Attack(
    title="Shadow models",
    authors="Shokri et al.",
    year=2017,
    source="shokri2017",
    score=[reads("target_logits", "labels")],
    fit=[reads("examples", "labels", "refs_logits", "refs_in", "refs_out")],
    learns=True,
    hardness="class",
)

ANY = "any"
FEWEST = 20  # vectors of a kind, for a class to have a classifier of its own


def score(
    target_logits, labels, fitted,
    *,
    classifier: Literal["mlp", "linear"] = "mlp",
    vectors: Literal["raw", "sorted"] = "raw",
    maximum: Annotated[int, positive] = 1000,
) -> np.ndarray:  # fmt: skip
    """Return the member probability of the target's confidence vector, (N,); higher = member.

    The classifier of the example's class is trained on the confidence vectors of the shadow models
    about their members and their non-members of that class, at most `maximum` of either and equally
    many. Logits (N, C), or with queries before C, of which the first is used; see `fit`.

    `classifier`: what learns: a network of one hidden layer, or a logistic regression.
    `vectors`: confidences in the order of the classes, or `sorted` by size. `maximum`: the most
    members, and non-members, of a class that it is trained on.
    """
    observed = classifiers.confidences(untouched(target_logits, "logits"))
    result = np.empty(len(labels))
    for label in np.unique(labels):
        own = labels == label
        order, trained = fitted.get(label, fitted[ANY])
        result[own] = classifiers.probability(trained, ARRANGED[order](observed[own]))
    return result


ARRANGED = {"raw": np.asarray, "sorted": classifiers.descending}


def fit(lessons, *, classifier, vectors, maximum) -> dict[int | str, tuple]:
    """Return the arrangement of the vectors and the classifier of each class, and of ANY other.

    That is of classes with fewer than FEWEST vectors of a kind, trained on the vectors of all
    classes: sorted, as places in a raw vector mean something else in each class.
    """
    sample = sampled(lessons, maximum)
    labels = {label for label, _ in sample.kept}
    fitted = {ANY: of_all_classes(sample, labels, classifier)}
    for label in labels:
        if min(sample.size((label, "in")), sample.size((label, "out"))) >= FEWEST:
            members, others = map(ARRANGED[vectors], sample.pair((label, "in"), (label, "out")))
            fitted[label] = vectors, classifiers.train(classifier, members, others)
    return fitted


def sampled(lessons, maximum: int) -> classifiers.Sample:
    """Return the sample of confidence vectors of each class, of members ("in") and others."""
    sample = classifiers.Sample(maximum, classifiers.confidences)
    for lesson in lessons:
        logits = untouched(lesson.refs_logits, "logits", models=True)  # (R, n, C)
        rank = classifiers.ranks(lesson.examples, logits)
        for kind, mask in (("in", lesson.refs_in), ("out", lesson.refs_out)):
            for label in np.unique(lesson.labels):
                own = mask & (lesson.labels == label)
                sample.add((label, kind), logits[own], rank[own])
    return sample


def of_all_classes(sample, labels, classifier) -> tuple:
    """Return the arrangement and the classifier for classes that have too few vectors."""
    for kind in ("in", "out"):
        sample.merge(kind, [(label, kind) for label in labels])
    members, others = map(classifiers.descending, sample.pair("in", "out"))
    return "sorted", classifiers.train(classifier, members, others)
