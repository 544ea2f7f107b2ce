"""Which shadow models speak about which examples of a slice, as IN and as OUT references."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from miatlas.audits import references
from miatlas.audits.audit import Audit
from miatlas.running.store import SLICE


@dataclass
class Comparisons:
    """Whom an attack compares a target with: masks refs_in and refs_out, bool (R, n), by slice.

    needs_in: it compares with IN references. learns: it is taught by the shadow models. in_order:
    the first references of an example are taken, not any by lot.
    """

    audit: Audit
    needs_in: bool
    learns: bool = False
    in_order: bool = False

    @property
    def first(self) -> int | None:
        """Return of how many models of another cohort an attack learns; None: of all.

        It takes them whole: there is nothing to balance.
        """
        return self.audit.references if self.learns and not self.audit.same else None

    def rows(self, target: int) -> np.ndarray:
        """Return the shadow models (R,) of a target."""
        return self.audit.shadow_rows(target)[: self.first]

    def taught(self, target: int, where: slice) -> np.ndarray:
        """Return the indices of a slice's examples that the shadow models teach about."""
        return self.audit.taught(self.rows(target), where)

    def known(self, target: int, examples: np.ndarray, where: slice):
        """Return the members and non-members that each shadow model knows it has."""
        return self._marked(target, examples, where, known=True)

    def balanced(self, target: int, examples: np.ndarray, where: slice):
        """Return as many IN, and as many OUT references of each example as of all others."""
        rows = self.rows(target)
        priority = (
            references.in_order(rows, where.start, where.stop)
            if self.in_order
            else references.priorities(rows, where.start, where.stop, self.audit.seed)
        )
        marked = self._marked(target, examples, where, self.audit.leave_one_out)
        k_in, k_out = self._numbers[target]
        asked = priority.take(examples - where.start, axis=1)
        return references.select(*marked, k_in, k_out, asked)

    @cached_property
    def _numbers(self) -> dict[int, tuple[int, int]]:
        """How many IN and OUT references each target's examples have, all alike."""
        fewest = {target: [] for target in self.audit.targets.tolist()}
        for where in self.audit.target.slices(SLICE):
            for target, counts in fewest.items():
                examples = self.audit.evaluated(target, where)
                if len(examples):
                    marked = self._marked(target, examples, where, self.audit.leave_one_out)
                    counts.append(references.counts(*marked))
        return {target: self._allowed(target, counts) for target, counts in fewest.items()}

    def _allowed(self, target, counts):
        """Return k_in, k_out of a target, or name the example that has too few references."""
        wanted, needs_in = self.audit.references, self.needs_in
        try:
            return references.allowed(*np.min(counts, axis=0), wanted, needs_in)
        except ValueError as error:
            example, has = self._scarcest(target)
            raise ValueError(
                f"{self.audit.shadow.paths[0]}: {error}: by member, example {example} has {has[0]}"
                f" IN and {has[1]} OUT for target {target} (evaluated 0 leaves an example out"
                f"{', lira_offline and others need no IN' if needs_in and not has[0] else ''})"
            ) from None

    def _scarcest(self, target):
        """Return the example with the fewest references of a needed kind; its IN and OUT ones."""
        found = []
        for where in self.audit.target.slices(SLICE):
            examples = self.audit.evaluated(target, where)
            if len(examples):
                masks = self._marked(target, examples, where, self.audit.leave_one_out)
                numbers = np.array([mask.sum(axis=0) for mask in masks])
                least = numbers[0 if self.needs_in else 1 :].min(axis=0)
                at = int(least.argmin())
                found.append((int(least[at]), int(examples[at]), numbers[:, at].tolist()))
        return min(found)[1:]

    def _marked(self, target, examples, where, known):
        """Return which shadow models trained on which examples, and which did not: (R, n) bool.

        `known`: only on those that they are evaluated on.
        """
        shadow, asked = self.audit.shadow, (self.rows(target), examples - where.start)
        member = taken(shadow.held("member", where), *asked)
        about = taken(shadow.held("evaluated", where), *asked) if known else True
        return member & about, ~member & about


def taken(answers: np.ndarray, models, examples: np.ndarray) -> np.ndarray:
    """Return what some models answer about some examples; one model's number drops the axis."""
    if np.ndim(models) == 0:
        return answers[models][examples]
    if len(examples) == answers.shape[1]:  # all of them, in their order
        return answers[models]
    return answers[models].take(examples, axis=1)  # np.ix_ takes nine times as long for two queries
