"""LDC-MIA (Shi et al. 2024): learned difficulty calibration, an MLP of loss, calibration, label."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from miatlas.attacks.shared import perceptron
from miatlas.attacks.shared.likelihoods import untouched
from miatlas.attacks.shared.neighbours import Neighbourhood
from miatlas.audits.attack import Attack, reads
from miatlas.options import between, positive
from miatlas.signals.statistics import loss_from_phi

ATTACK = Attack(
    title="LDC-MIA",
    authors="Shi et al.",
    year=2024,
    source="shi2024 §3.3, Eqs. 7-8",
    score=[reads("target_phi", "labels", "examples", "reference_phi", "reference_logits")],
    fit=[
        reads("examples", "labels", "refs_phi", "refs_in", "refs_out"),
        reads("reference_phi", "reference_logits"),
    ],
    learns=True,
    hardness="example",
)

FEW = 13  # features: for so many or more, the layers grow with them


def score(
    target_phi, labels, examples, reference_phi, reference_logits, fitted,
    *,
    theta: Annotated[float, between(-1, 1)] = 0.0,
    neighbours: bool = True,
    classifier: Literal["mlp", "threshold"] = "mlp",
    without: Literal["nothing", "membership", "calibrated", "label"] = "nothing",
    epochs: Annotated[int, positive] = 50,
) -> np.ndarray:  # fmt: skip
    """Return the log-odds of being a member, (N,), the mean over pairs of models; higher = member.

    The r-th shadow model and the r-th model of the third cohort are a pair. Its classifier knows
    each example by the membership score -loss(target), by the calibrated score (loss(reference) -
    loss(target)) NI, Eq. 8, and by the label (§3.3); one of them may be left out (Fig. 14), and so
    may the neighbours: NI = 1. `threshold` returns the calibrated score itself, for one threshold
    to judge (Fig. 4). target_phi (N, Q), of the third cohort (R, N, Q), reference_logits (R, N, C)
    or with queries before C: query 0 of each. labels, examples (N,).

    `theta`: the cosine above which two answers count as alike. `neighbours`: whether the
    difference is scaled by the number of alike answers. `classifier`: what judges: the trained
    network, or a `threshold` on the calibrated score. `without`: which input the network lacks.
    `epochs`: passes of the training.
    """
    parts = np.zeros((len(fitted), len(labels)))
    for r, (neighbourhood, trained) in enumerate(fitted):
        logits = untouched(reference_logits[r], "logits")
        asked = About(
            examples, labels, target_phi[:, 0], reference_phi[r, :, 0], logits, neighbourhood
        )
        seen = trained is not None
        parts[r] = trained.log_odds(asked.features(without)) if seen else asked.calibrated()
    return parts.mean(axis=0)


@dataclass
class About:
    """What one model, target or shadow, and its reference model answer about n examples.

    examples, labels, phi and reference_phi (n,), logits (n, C) of the reference model.
    """

    examples: np.ndarray
    labels: np.ndarray
    phi: np.ndarray
    reference_phi: np.ndarray
    logits: np.ndarray
    neighbourhood: Neighbourhood | None = None

    def calibrated(self) -> np.ndarray:
        """Return [s(model) - s(reference model)] NI, (n,), s = -loss (Eq. 8)."""
        difference = loss_from_phi(self.reference_phi) - loss_from_phi(self.phi)
        if self.neighbourhood is None:
            return difference
        return difference * self.neighbourhood.information(self.examples, self.logits)

    def features(self, without: str) -> np.ndarray:  # -> (n, d), d = C + 2 with all
        """Return the membership score, the calibrated score and the label, one column a class."""
        columns = {
            "membership": -loss_from_phi(self.phi)[:, None],
            "calibrated": self.calibrated()[:, None],
            "label": np.eye(self.logits.shape[-1])[self.labels],
        }
        return np.concatenate([column for name, column in columns.items() if name != without], 1)


def fit(lessons, *, theta, neighbours, classifier, without, epochs) -> list[tuple]:
    """Return each pair's neighbourhood and classifier, None where there is none.

    Auxiliary are the shadow model's members and non-members: the classifier is trained on them, and
    neighbours are counted among them.
    """
    fitted = []
    for about, is_member in taught(lessons):
        if is_member.all() or not is_member.any():
            raise ValueError("a shadow model has no members, or no non-members, to learn from")
        if neighbours:
            about.neighbourhood = Neighbourhood(about.examples, about.logits, theta)
        trained = None
        if classifier == "mlp":
            features = about.features(without)
            trained = perceptron.train(features, is_member, widths(features.shape[1]), epochs)
        fitted.append((about.neighbourhood, trained))
    return fitted


def widths(features: int) -> tuple[int, int]:
    """Return the units of the two hidden layers."""
    return (128, 64) if features < FEW else (4 * features, 2 * features)


def taught(lessons) -> list[tuple[About, np.ndarray]]:
    """Return, for each pair, what is known of the auxiliary examples and who is a member, (A,)."""
    pairs: list[list[tuple]] = []
    for lesson in lessons:
        count = min(len(lesson.refs_phi), len(lesson.reference_phi))
        pairs = pairs or [[] for _ in range(count)]
        for r, parts in enumerate(pairs):
            own = lesson.refs_in[r] | lesson.refs_out[r]
            logits = untouched(lesson.reference_logits[r], "logits")
            phis = lesson.refs_phi[r, own, 0], lesson.reference_phi[r, own, 0]
            parts.append(
                (
                    lesson.examples[own],
                    lesson.labels[own],
                    *phis,
                    logits[own],
                    lesson.refs_in[r, own],
                )
            )
    if not pairs:
        raise ValueError("there is no shadow model with a reference model beside it to learn from")
    whole = [[np.concatenate(column) for column in zip(*parts, strict=True)] for parts in pairs]
    return [(About(*known), is_member) for *known, is_member in whole]
