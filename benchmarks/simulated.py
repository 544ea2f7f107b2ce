"""Audits whose truth is known: scores of simulated targets, for the coverage of intervals."""

import sys
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from measuring import REPOSITORY
from scipy.special import ndtr, ndtri

sys.path.insert(0, str(REPOSITORY / "scripts"))

from miatlas.attacks import lira_online, watson
from miatlas.audits.references import balanced


@dataclass(frozen=True)
class Normals:
    """Scores N(0, 1) of non-members and N(shift, 1) of members.

    `shared` of the variance is the example's own, the same under every target; a target's shift
    deviates from the mean one by `spread`; `members` of the examples are members.
    """

    shift: float
    shared: float = 0.5
    spread: float = 0.1
    members: float = 0.5

    @property
    def name(self) -> str:
        share = "" if self.members == 0.5 else f", {self.members:.0%} members".replace("%", " %")
        return f"normal, {self.shift:g} apart{share}"

    def examples(self, n: int, rng) -> np.ndarray:
        """Return what is the examples' own (n,)."""
        return rng.normal(scale=np.sqrt(self.shared), size=n)

    def audit(self, own, targets: int, rng):
        """Return scores, member (T, N) and the targets' shifts (T,) for these examples."""
        shape = targets, len(own)
        member = rng.random(shape) < self.members
        shifts = self.shift + self.spread * rng.normal(size=targets)
        noise = rng.normal(scale=np.sqrt(1.0 - self.shared), size=shape)
        return own + noise + member * shifts[:, None], member, shifts

    def pair(self, own, targets: int, rng, alike=0.5):
        """Return the scores (2, T, N) of two attacks, with member, shifts as `audit` does.

        What is not the example's own is `alike` correlated between the two.
        """
        first, member, shifts = self.audit(own, targets, rng)
        law = own + member * shifts[:, None]
        fresh = rng.normal(scale=np.sqrt(1.0 - self.shared), size=first.shape)
        second = law + alike * (first - law) + np.sqrt(1.0 - alike**2) * fresh
        return np.stack([first, second]), member, shifts

    def named(self, first, second, shifts=None, alike=0.5) -> tuple[float, float]:
        """Return the shares of members above both, and above either of two thresholds (T,).

        Of all targets' law, or of targets with these shifts.
        """
        shifts = self.drawn[5::10] if shifts is None else shifts
        shared = self.shared + (1.0 - self.shared) * alike
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)
        means = shifts + np.sqrt(shared) * nodes[:, None]  # (80, S)
        above = [
            ndtr((means - np.asarray(at)[:, None, None]) / np.sqrt(1.0 - shared))
            for at in (first, second)
        ]
        both, one, other = (
            float((weights @ x.mean(axis=(0, 2))) / weights.sum())
            for x in (above[0] * above[1], *above)
        )
        return both, one + other - both

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
        [scores], member, shifts = self._attacked(own, targets, rng, [_lira])
        return scores, member, shifts

    def pair(self, own, targets: int, rng):
        """Return the same of two attacks on the same models, LiRA and Watson's: (2, T, N)."""
        return self._attacked(own, targets, rng, [_lira, _watson])

    def _attacked(self, own, targets, rng, attacks):
        mu, d, s = own
        order = rng.random((self.models, len(mu))).argsort(axis=0)
        member = order < self.models // 2
        phi = mu + member * d + s * rng.normal(size=member.shape)
        scores = np.empty((len(attacks), targets, len(mu)))
        for target in range(targets):
            others = np.arange(self.models) != target
            refs = balanced(member[others], None, 0, np.flatnonzero(others))
            answers = {"target_phi": phi[target][:, None], "refs_phi": phi[others][..., None]}
            for row, attack in enumerate(attacks):
                scores[row, target] = attack(*refs, **answers)
        return scores, member[:targets], np.zeros(targets)

    def named(self, first, second, _=None) -> tuple[float, float]:
        """Return the shares of members above both, and above either of two thresholds (T,)."""
        both = either = 0.0
        for pair in zip(first, second, strict=True):
            one, other = (scores >= at for scores, at in zip(self._members, pair, strict=True))
            both, either = both + (one & other).mean(), either + (one | other).mean()
        return both / len(first), either / len(first)

    @cached_property
    def _members(self) -> np.ndarray:
        """Scores of members under both attacks (2, n)."""
        rng = np.random.default_rng(2)
        scores, member, _ = self.pair(self.examples(self.large, rng), 1, rng)
        return scores[:, member]

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


def _lira(refs_in, refs_out, **answers):
    return lira_online.score(refs_in, refs_out, **answers, queries=1)


def _watson(_, refs_out, **answers):
    return watson.score(refs_out=refs_out, **answers, statistic="logit")


def _above(scores, threshold):
    return 1.0 - np.searchsorted(scores, threshold) / len(scores)
