"""Shadow models (Shokri et al. 2017): in each class, a classifier of members by their answers."""

from typing import Annotated, Literal

import numpy as np

from miatlas.attacks import classifiers
from miatlas.attacks.gaussian import among
from miatlas.attacks.likelihoods import untouched
from miatlas.options import positive

FEWEST = 20  # vectors of a kind, for a class to have a classifier of its own


def score(
    target_logits, labels, fitted, refs_logits, refs_in, refs_out,
    *,
    classifier: Literal["mlp", "linear"] = "mlp",
    vectors: Literal["raw", "sorted"] = "raw",
    maximum: Annotated[int, positive] = 1000,
) -> np.ndarray:  # fmt: skip
    """Return the member probability of the target's confidence vector, (N,); higher = member.

    The classifier of the example's class is trained on the confidence vectors of that class under
    IN and OUT references, at most `maximum` of either and equally many. Logits (N, C), of the
    references (R, N, C), or with queries before C, of which the first is used; see `fit`.
    """
    observed = classifiers.confidences(untouched(target_logits, "logits"))
    result = np.empty(len(labels))
    for label in np.unique(labels):
        own = labels == label
        order, trained = fitted[label]
        result[own] = classifiers.probability(trained, ARRANGED[order](observed[own]))
    return result


ARRANGED = {"raw": np.asarray, "sorted": classifiers.descending}


def fit(slices, *, classifier, vectors, maximum) -> dict[int, tuple]:
    """Return each class's arrangement of the vectors and its classifier.

    Classes with fewer than FEWEST vectors of a kind share a classifier, trained on the vectors of
    all classes: sorted, as places in a raw vector mean something else in each class.
    """
    sample = classifiers.Sample(maximum, classifiers.confidences)
    for piece in slices:
        logits = untouched(piece.refs_logits, "logits", models=True)
        for kind, mask in (("in", piece.refs_in), ("out", piece.refs_out)):
            answers = among(logits, mask)  # (k, n, C)
            rank = classifiers.ranks(piece.examples, answers)
            for label in np.unique(piece.labels):
                own = piece.labels == label
                sample.add((label, kind), answers[:, own], rank[:, own])
    labels = {label for label, _ in sample.kept}
    few = {y for y in labels if min(sample.size((y, kind)) for kind in ("in", "out")) < FEWEST}
    fitted = {}
    for label in labels - few:
        members, others = map(ARRANGED[vectors], sample.pair((label, "in"), (label, "out")))
        fitted[label] = vectors, classifiers.train(classifier, members, others)
    return fitted | (dict.fromkeys(few, of_all_classes(sample, labels, classifier)) if few else {})


def of_all_classes(sample, labels, classifier) -> tuple:
    """Return the arrangement and the classifier of classes that have too few vectors."""
    for kind in ("in", "out"):
        sample.merge(kind, [(label, kind) for label in labels])
    members, others = map(classifiers.descending, sample.pair("in", "out"))
    return "sorted", classifiers.train(classifier, members, others)
