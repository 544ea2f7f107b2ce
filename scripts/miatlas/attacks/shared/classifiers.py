"""Classifiers of members, trained on the references' answers: what `shokri` and `salem` share.

Not an attack itself. scikit-learn is imported where it is used: reading an attack's options, or
running another one, does not wait for it.
"""

import warnings
from collections import defaultdict

import numpy as np

from miatlas.audits.references import priorities
from miatlas.running.seeds import rng

HIDDEN = 64  # units of the one hidden layer, in both papers
PASSES, BATCH, RATE = 20, 200, 0.01  # ours: the papers leave them open
MEMBER = 1


class Sample:
    """At most `maximum` vectors of each group, whatever the number offered: those of lowest rank.

    A rank comes with each answer (`ranks`) and depends on nothing else, so that the sample is the
    same for any slices of the examples and any order of the models. Answers (n, C) are turned into
    vectors (n, d) by `prepare` when they are taken in.
    """

    def __init__(self, maximum: int, prepare):
        self.maximum, self.prepare = maximum, prepare
        self.kept = defaultdict(lambda: (np.empty(0, np.uint64), None))

    def add(self, group, logits: np.ndarray, rank: np.ndarray) -> None:
        """Offer the answers (n, C) of one group and their ranks (n,)."""
        kept, vectors = self.kept[group]
        if len(kept) == self.maximum:
            logits, rank = logits[rank < kept[-1]], rank[rank < kept[-1]]
        near = np.argsort(rank)[: self.maximum]
        new = self.prepare(logits[near])
        vectors = new if vectors is None else np.concatenate([vectors, new])
        self.kept[group] = first(self.maximum, np.concatenate([kept, rank[near]]), vectors)

    def size(self, group) -> int:
        """Return how many vectors of a group there are."""
        return len(self.kept[group][0])

    def lowest(self, group) -> int:
        """Return the lowest rank of a group."""
        return int(self.kept[group][0][0])

    def pair(self, first, second) -> tuple[np.ndarray, np.ndarray]:
        """Return as many vectors (k, d) of one group as of another, in the order of their ranks."""
        fewest = min(self.size(first), self.size(second))
        return self.kept[first][1][:fewest], self.kept[second][1][:fewest]

    def merge(self, name, groups) -> None:
        """Make a group `name` of others: exactly the sample that all their answers would give."""
        filled = [self.kept[group] for group in groups if self.size(group)]
        if not filled:
            raise ValueError("the shadow models have no members, or no non-members, to learn from")
        ranks, vectors = zip(*filled, strict=True)
        self.kept[name] = first(self.maximum, np.concatenate(ranks), np.concatenate(vectors))


def first(maximum: int, rank: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ranks and vectors of the `maximum` lowest ranks, in their order."""
    order = np.argsort(rank, kind="stable")[:maximum]
    return rank[order], vectors[order]


def ranks(examples: np.ndarray, logits: np.ndarray) -> np.ndarray:  # (n,), (..., n, C) -> (..., n)
    """Return uint64 ranks, as good as random: a hash of the example and of the bits of its answer.

    Only equal answers about one example have equal ranks. The answer stands for the model, whose
    place among the references says nothing. Any one hash does: its key is constant.
    """
    words = np.ascontiguousarray(logits, dtype=np.float32).view(np.uint32)
    keys = rng(0, "training vectors").integers(2**64, size=words.shape[-1] + 1, dtype=np.uint64) | 1
    content = (words * keys[1:]).sum(axis=-1) + examples.astype(np.uint64) * keys[0]
    return priorities(content.ravel(), 0, 1, 0).reshape(content.shape)


def confidences(logits: np.ndarray) -> np.ndarray:  # (..., C) -> (..., C)
    """Return the softmax, in float64."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True).astype(np.float64))
    return powers / powers.sum(axis=-1, keepdims=True)


def descending(vectors: np.ndarray) -> np.ndarray:
    """Return each vector's values from the largest to the smallest."""
    return -np.sort(-vectors, axis=-1)


def train(classifier: str, members: np.ndarray, others: np.ndarray):
    """Return a classifier fitted to standardised vectors (k, d) of members and of others.

    `linear` is a logistic regression; `mlp` has one hidden layer, and a number of passes over the
    vectors (of Adam), not convergence, ends its training. The same vectors in the same order give
    the same classifier.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    vectors = np.concatenate([members, others])
    model = LogisticRegression(max_iter=1000) if classifier == "linear" else MLPClassifier(
        (HIDDEN,), batch_size=min(BATCH, len(vectors)), learning_rate_init=RATE,
        max_iter=PASSES, n_iter_no_change=PASSES, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        is_member = np.repeat([MEMBER, 1 - MEMBER], [len(members), len(others)])
        return make_pipeline(StandardScaler(), model).fit(vectors, is_member)


def probability(trained, vectors: np.ndarray) -> np.ndarray:  # (n, d) -> (n,)
    """Return the probability of being a member."""
    return trained.predict_proba(vectors)[:, MEMBER]
