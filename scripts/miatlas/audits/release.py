"""What is released of the models' answers: the attacks of an audit see that, and no more.

Target and shadow models alike: the attacker knows what is given out, and asks shadow models for the
same. A release takes logits (M, n, Q, C), float64, and returns logits whose softmax is what the
models are then known to answer. Where that says nothing of a class, the attacker's best guess
stands: what is left to 1 is shared evenly. Its keyword-only parameters are the options.
"""

from dataclasses import replace
from typing import Annotated

import numpy as np
from scipy.special import expit, logit, logsumexp, softmax

from miatlas.audits.audit import Audit
from miatlas.options import positive
from miatlas.running.seeds import rng
from miatlas.running.store import SLICE
from miatlas.signals.answers import Signals
from miatlas.signals.probabilities import SMALLEST
from miatlas.signals.statistics import logit_scaled_confidence


def everything(logits) -> np.ndarray:
    """All that attacks can read, gradients too, if they are asked: nothing is withheld."""
    return logits


def confidences(logits) -> np.ndarray:
    """All confidences, as they are, and nothing from inside the models."""
    return logits


def top(logits, *, k: Annotated[int, positive]) -> np.ndarray:
    """The largest confidences with their classes. `k`: how many; k of all classes are all."""
    if k >= (classes := logits.shape[-1]):
        return logits
    kept = (-logits).argsort(axis=-1, kind="stable").argsort(axis=-1) < k
    rest = logsumexp(np.where(kept, -np.inf, logits), axis=-1, keepdims=True)
    return np.where(kept, logits, rest - np.log(classes - k))


def rounded(logits, *, digits: Annotated[int, positive]) -> np.ndarray:
    """Rounded confidences. `digits`: how many behind the point are left of a confidence."""
    return np.log(to_digits(softmax(logits, axis=-1), digits))


def label(logits) -> np.ndarray:
    """The likeliest class alone; the attacker takes the model to be sure of it."""
    answered = logits.argmax(axis=-1)[..., None] == np.arange(logits.shape[-1])
    return np.where(answered, 0.0, np.log(SMALLEST))


def groups(logits, lots, *, size: Annotated[int, positive]) -> np.ndarray:
    """The mean answer about groups of examples of one label, drawn by lot, in place of their own.

    lots (n,): the number of each example's group. `size`: how many examples are a group; those that
    make no whole one join the others of their label.
    """
    order = lots.argsort(kind="stable")
    _, first, counts = np.unique(lots[order], return_index=True, return_counts=True)
    sums = np.add.reduceat(softmax(logits, axis=-1)[:, order], first, axis=1)
    means = sums / counts[:, None, None]
    return np.log(np.maximum(means, np.finfo(np.float64).tiny))[:, lots]


RELEASES = {
    release.__name__: release for release in (everything, confidences, top, rounded, label, groups)
}


def to_digits(p: np.ndarray, digits: int) -> np.ndarray:
    """Return probabilities rounded; 0 stands for the middle of what rounds to 0, 1 likewise."""
    middle = 0.25 * 10.0**-digits
    return np.clip(np.round(p, digits), middle, 1.0 - middle)


def lots(labels, role, size: int, generator: np.random.Generator) -> np.ndarray:
    """Return the group (n,), numbered from 0, of each example: of one label and role, by lot.

    A kind of which there are fewer than `size` is one group. Whether a model trained on an example
    plays no part: groups are the same for all models.
    """
    found, count = np.empty(len(labels), np.int64), 0
    for kind in np.unique(np.stack([labels, role]), axis=1).T:
        own = np.flatnonzero((labels == kind[0]) & (role == kind[1]))
        number = max(len(own) // size, 1)
        found[generator.permutation(own)] = count + np.arange(len(own)) % number
        count += number
    return found


def withholds(release: dict, classes: int) -> bool:
    """Say whether a release leaves anything out of the confidences."""
    if release["name"] == "top":
        return release["k"] < classes
    return release.get("size") != 1 and release["name"] not in ("everything", "confidences")


def released(audit: Audit, release: dict) -> Audit:
    """Return the audit of models that give out no more than that; itself if it is everything."""
    classes = audit.target.dimensions("logits")[-1] if release["name"] == "top" else 0
    if not withholds(release, classes):
        return audit
    target = Released(audit.target, release, audit.seed)
    shadow = target if audit.same else Released(audit.shadow, release, audit.seed)
    third = audit.reference and Released(audit.reference, release, audit.seed)
    return replace(audit, target=target, shadow=shadow, reference=third)


class Released(Signals):
    """The signals of a cohort as far as they are released: phi and logits say no more than that.

    Rounding is of each number by itself. Other releases are of a whole answer: phi is then known of
    those queries alone whose logits were kept.
    """

    def __init__(self, signals: Signals, release: dict, seed: int):
        super().__init__(signals.paths, [path for each in signals.probes.values() for path in each])
        self.options = {key: value for key, value in release.items() if key != "name"}
        self.kind, self.seed = release["name"], seed

    def dimensions(self, name: str) -> tuple[int, ...]:
        """Return the shape of one array over all models, as far as it is released."""
        found = super().dimensions(name)
        if name != "phi" or self.kind == "rounded":
            return found
        return (*found[:2], found[2] if len(super().dimensions("logits")) == 4 else 1)

    def numbers(self, name: str) -> int:
        """Return how many numbers are held, of all models, for one example."""
        of_logits = name == "phi" and self.kind != "rounded"
        return super().numbers("logits" if of_logits else name)

    def read(self, name: str, examples: slice, last: int | None = None) -> np.ndarray:
        """Return what is known of one array, for all models and a slice of examples."""
        if name not in ("phi", "logits"):
            return super().read(name, examples, last)
        if name == "phi" and self.kind == "rounded":
            confidence = expit(super().read(name, examples, last).astype(np.float64))
            return logit(to_digits(confidence, self.options["digits"])).astype(np.float32)
        logits = self._logits(examples)  # (M, n, Q, C)
        if name == "phi":
            labels = super().read("labels", examples)[:, None]
            return logit_scaled_confidence(logits[:, :, :last], labels).astype(np.float32)
        several = len(super().dimensions("logits")) == 4
        return (logits if several else logits[:, :, 0]).astype(np.float32)

    def _logits(self, examples):
        wide = self._whole(examples)
        logits = super().read("logits", wide).astype(np.float64)
        logits = logits if logits.ndim == 4 else logits[:, :, None]
        given = [self._lots(wide)] if self.kind == "groups" else []
        found = RELEASES[self.kind](logits, *given, **self.options)
        return found[:, examples.start - wide.start : examples.stop - wide.start]

    def _whole(self, examples):
        """Return the slice that holds all groups of a slice's examples: whole SLICEs of them."""
        if self.kind != "groups":
            return slice(examples.start, min(examples.stop, self.shape[1]))
        stop = -(-examples.stop // SLICE) * SLICE
        return slice(examples.start // SLICE * SLICE, min(stop, self.shape[1]))

    def _lots(self, wide):
        """Return the groups of whole stretches of examples: they reach no further than those."""
        labels, role = (super(Released, self).read(name, wide) for name in ("labels", "role"))
        found, count = [], 0
        for start in range(0, len(labels), SLICE):
            here = slice(start, start + SLICE)
            draws = rng(self.seed, "groups", wide.start + start)
            own = lots(labels[here], role[here], self.options["size"], draws) + count
            found, count = [*found, own], own.max() + 1
        return np.concatenate(found)
