"""Audits whose truth is known: scores of simulated targets, for the coverage of intervals."""

import sys
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from measuring import REPOSITORY
from scipy.special import ndtr, ndtri

sys.path.insert(0, str(REPOSITORY / "scripts"))

from miatlas.attacks import lira_online
from miatlas.audits.references import balanced


@dataclass(frozen=True)
class Normals:
    """Scores N(0, 1) of non-members and N(shift, 1) of members.

    `shared` of the variance is the example's own, the same under every target; a target's shift
    deviates from the mean one by `spread`.
    """

    shift: float
    shared: float = 0.5
    spread: float = 0.1

    @property
    def name(self) -> str:
        return f"normal, {self.shift:g} apart"

    def examples(self, n: int, rng) -> np.ndarray:
        """Return what is the examples' own (n,)."""
        return rng.normal(scale=np.sqrt(self.shared), size=n)

    def audit(self, own, targets: int, rng):
        """Return scores, member (T, N) and the targets' shifts (T,) for these examples."""
        shape = targets, len(own)
        member = rng.random(shape) < 0.5
        shifts = self.shift + self.spread * rng.normal(size=targets)
        noise = rng.normal(scale=np.sqrt(1.0 - self.shared), size=shape)
        return own + noise + member * shifts[:, None], member, shifts

    @cached_property
    def drawn(self) -> np.ndarray:
        """Shifts at the middles of 200 equally likely ranges: a mean over them is over targets."""
        return self.shift + self.spread * ndtri((np.arange(200) + 0.5) / 200)

    def tpr(self, shifts, threshold):
        """Return the TPR at a threshold."""
        return ndtr(shifts - threshold)

    def fpr(self, threshold):
        """Return the FPR at a threshold."""
        return ndtr(-np.asarray(threshold))

    def tpr_at(self, shifts, level):
        """Return the TPR at an FPR."""
        return ndtr(shifts + ndtri(level))

    def auc(self, shifts):
        return ndtr(shifts / np.sqrt(2.0))

    def best(self, shifts):
        """Return the largest TPR - FPR."""
        return 2.0 * ndtr(shifts / 2.0) - 1.0


@dataclass(frozen=True)
class Lira:
    """LiRA's scores of targets among `models` models, the other models being its shadow models.

    Statistic of model m on example i: N(mu_i + member d_i, s_i²), mu normal, d exponential, s
    log-normal over the examples. No target differs from another in law.
    """

    models: int = 20
    name: str = "LiRA, 20 models"
    large: int = 400_000  # examples that the law of the scores is known from

    def examples(self, n: int, rng) -> np.ndarray:
        """Return mu, d, s of the examples (3, n)."""
        return np.stack(
            [rng.normal(scale=2.0, size=n), rng.exponential(size=n), rng.lognormal(0, 0.3, n)]
        )

    def audit(self, own, targets: int, rng):
        """Return scores, member (T, N) and a placeholder for each target (T,)."""
        mu, d, s = own
        order = rng.random((self.models, len(mu))).argsort(axis=0)
        member = order < self.models // 2
        phi = mu + member * d + s * rng.normal(size=member.shape)
        scores = np.empty((targets, len(mu)))
        for target in range(targets):
            others = np.arange(self.models) != target
            refs = balanced(member[others], None, 0, np.flatnonzero(others))
            answers = {"target_phi": phi[target][:, None], "refs_phi": phi[others][..., None]}
            scores[target] = lira_online.score(*refs, **answers, queries=1)
        return scores, member[:targets], np.zeros(targets)

    @cached_property
    def law(self) -> tuple[np.ndarray, np.ndarray]:
        """Scores of members and of non-members, sorted."""
        rng = np.random.default_rng(1)
        [scores], [member], _ = self.audit(self.examples(self.large, rng), 1, rng)
        return np.sort(scores[member]), np.sort(scores[~member])

    drawn = np.zeros(1)

    def tpr(self, _, threshold):
        """Return the TPR at a threshold."""
        return _above(self.law[0], threshold)

    def fpr(self, threshold):
        """Return the FPR at a threshold."""
        return _above(self.law[1], threshold)

    def tpr_at(self, _, level):
        """Return the TPR at an FPR."""
        return self.tpr(0.0, np.quantile(self.law[1], 1.0 - level))

    def auc(self, _):
        return self._auc

    def best(self, _):
        """Return the largest TPR - FPR."""
        return self._best

    @cached_property
    def _auc(self):
        return float(1.0 - self.fpr(self.law[0]).mean())

    @cached_property
    def _best(self):
        return float((self.tpr(0.0, self.law[1]) - self.fpr(self.law[1])).max())


def _above(scores, threshold):
    return 1.0 - np.searchsorted(scores, threshold) / len(scores)
