"""An audit: which models speak about a target, and about which examples."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from miatlas.audits.perturbed import Perturbed
from miatlas.designs.relations import drawn_with, partners
from miatlas.designs.roles import HELD_OUT
from miatlas.signals.answers import Signals, same_labels


@dataclass
class Audit:
    """Targets (T,) of one cohort, attacked with the models of another, or of the same one.

    `reference` is a third cohort, of neither targets nor shadow models. `per_target` says of the
    cohorts "shadow" and "reference" how many of their models were made for each target (models
    t k .. t k + k - 1 for target t); cohorts that are not named serve every target whole.
    `leave_one_out`: a shadow model speaks only about the examples that it is evaluated on.
    `group`: the size of the target cohort's groups, if it is of halves, or of each in turn.
    `perturbed`: what models answer at points found for each target, if an attack asks.
    """

    target: Signals
    shadow: Signals
    targets: np.ndarray
    design: str
    seed: int
    references: int | None = None
    reference: Signals | None = None
    per_target: dict[str, int] = field(default_factory=dict)
    leave_one_out: bool = False
    group: int | list[int] | None = None
    perturbed: Perturbed | None = None

    @property
    def same(self) -> bool:
        """Whether the targets are among the shadow models."""
        return self.target is self.shadow

    def evaluated(self, target: int, where: slice) -> np.ndarray:
        """Return the indices of the examples of a slice that count for a target."""
        counts = self.target.held("evaluated", where)[target]
        if self.leave_one_out:
            counts = counts & self._known(self.shadow_rows(target), where)
        return where.start + np.flatnonzero(counts)

    def taught(self, rows: np.ndarray, where: slice) -> np.ndarray:
        """Return the indices of the examples of a slice that some shadow models (R,) know about."""
        return where.start + np.flatnonzero(self._known(rows, where))

    def _known(self, rows, where):
        return self.shadow.held("evaluated", where)[rows].any(axis=0)

    @cached_property
    def held_out(self) -> np.ndarray:
        """Return the indices (H,) of the examples that no model of either cohort trained on."""
        parts = [np.empty(0, int)]
        for where in self.target.slices():
            roles = (cohort.read("role", where) for cohort in (self.target, self.shadow))
            parts.append(where.start + np.flatnonzero(np.all([r == HELD_OUT for r in roles], 0)))
        return np.concatenate(parts)

    def shadow_rows(self, target: int) -> np.ndarray:
        """Return the shadow models (R,) of a target: never itself, nor its pair."""
        rows = self._rows("shadow", self.shadow, target)
        return np.setdiff1d(rows, list(partners(self.design, target))) if self.same else rows

    def single_row(self, target: int) -> int:
        """Return the shadow model that speaks alone: the first of an independent training set.

        Of one that was drawn together with the target's, features could tell the target's members.
        """
        rows = self.shadow_rows(target)
        if self.same:
            rows = np.setdiff1d(rows, list(drawn_with(self.design, self.group, target)))
        if not len(rows):
            raise ValueError(
                f"{self.shadow.paths[0]}: no model was drawn independently of target {target}"
            )
        return int(rows[0])

    def reference_rows(self, target: int) -> np.ndarray:
        """Return the models (R,) of the third cohort that a target is calibrated with."""
        return self._rows("reference", self.reference, target)

    def _rows(self, side, cohort, target):
        k = self.per_target.get(side)
        return np.arange(target * k, (target + 1) * k) if k else np.arange(cohort.shape[0])


def audit(
    target, shadow, *, design: str, targets: int | None, seed: int, reference=None, **keys
) -> Audit:
    """Return the audit of the first `targets` models (default: ten, or all there are).

    `target` and `shadow` are one object where the cohorts are the same; `keys` as in Audit. Raises
    ValueError when there are fewer models, or when the cohorts' examples differ.
    """
    models = target.shape[0]
    wanted = targets or min(10, models)
    if wanted > models:
        raise ValueError(f"{wanted} targets, but the target cohort has {models} models")
    for other in (shadow, reference):
        if other is not None and not same_labels(target.paths[0], other.paths[0]):
            raise ValueError(
                f"{target.paths[0]} and {other.paths[0]}: their examples' labels differ"
            )
    return Audit(target, shadow, np.arange(wanted), design, seed, reference=reference, **keys)


def of_stand_ins(one: Audit, *, design: str, group: int | list[int] | None) -> Audit:
    """Return the audit of up to ten shadow models, each against the others, in a target's place.

    `design` and `group` are those of the shadow cohort. Raises ValueError as `audit` does.
    """
    of_shadow, keys = one.shadow, {"references": one.references, "reference": one.reference}
    return audit(
        of_shadow, of_shadow, design=design, group=group, targets=None, seed=one.seed, **keys
    )
