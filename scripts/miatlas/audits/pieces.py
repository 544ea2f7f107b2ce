"""Pieces: what an attack is given, of a slice of examples that fits in memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from miatlas.audits.attack import ANSWER, MASKS
from miatlas.audits.audit import Audit
from miatlas.audits.comparisons import Comparisons, taken
from miatlas.running.store import SLICE
from miatlas.signals.answers import ALIKE

PERTURBED = "perturbed"  # what is answered at points that each target has of its own
BYTES = 48  # held for each float32 read: float64 copies, of the target, of IN and of OUT references


class Pieces:
    """What an attack reads of the signals, slice by slice of the examples it is asked about.

    `names`: all that pieces are ever asked for. Answers about held-out examples are the same in
    every slice, and held in memory. The others are there until the next slice is read: all targets
    of a slice find them.
    """

    def __init__(
        self, audit: Audit, names: set[str], queries: int | None, memory_mb: int, learns=False,
        in_order=False,
    ):  # fmt: skip
        self.audit, self.queries = audit, queries
        self.comparisons = Comparisons(audit, "refs_in" in names, learns, in_order)
        self.cohorts = {"target": audit.target, "refs": audit.shadow, "ref": audit.shadow,
                        "reference": audit.reference}  # fmt: skip
        matches = [match.groups() for match in map(ANSWER.fullmatch, sorted(names)) if match]
        self.read = {
            (self.cohorts[who], what)
            for who, held_out, what in matches
            if not held_out and what != PERTURBED
        }
        self.moves = any(what == PERTURBED for *_, what in matches)
        self.compares = bool({*MASKS} & names)
        step = max(1, int(memory_mb * 2**20 / (BYTES * self._numbers())))
        self.step = step - step % SLICE or step  # no chunk of a file is read twice
        self.about_held_out = {
            (who, what): self._read_held_out(self.cohorts[who], what, self._asked(who))
            for who, held_out, what in matches
            if held_out
        }
        if "held_out_labels" in names:
            self.held_out_labels = self._read_held_out(audit.target, "labels")

    def of(self, *targets: int):
        """Yield one piece per slice and target, of the target's evaluated examples."""
        yield from self._pieces(targets, self.audit.evaluated, self.comparisons.balanced)

    def lessons(self, *targets: int):
        """Yield one piece per slice and target, of what the shadow models are evaluated on.

        Shadow models of the target's own cohort teach what they are asked about, IN and OUT in
        equal numbers, so that nothing can be counted; those of another cohort all they know.
        """
        if self.audit.same:
            yield from self.of(*targets)
        else:
            yield from self._pieces(targets, self.comparisons.taught, self.comparisons.known)

    def held_out(self, target: int) -> "Piece":
        """Return a piece without a slice: it can read answers about held-out examples alone."""
        return Piece(self, target, self.audit.held_out, slice(0, 0), self.comparisons.known)

    def _pieces(self, targets, examples, masks):
        """Yield a piece of each slice that has `examples(target, slice)`, with its references."""
        for where in self.audit.target.slices(self.step):
            for target in targets:
                inside = examples(target, where)
                if len(inside):
                    yield Piece(self, target, inside, where, masks)

    def answers(self, who, what, target, examples, where):
        """Return what someone's models answer about some examples of a slice."""
        if what == PERTURBED:
            found, local = self.audit.perturbed.read(who, target, where), examples - where.start
            return found[local] if who == "target" else taken(found, self._rows(who, target), local)
        cohort = self.cohorts[who]
        answers = cohort.held(what, where, self._last(cohort, what))
        return taken(answers, self._rows(who, target), examples - where.start)

    def held_out_answers(self, who, what, target):
        """Return what someone's models answer about the held-out examples."""
        rows = self._rows(who, target)
        rows = rows[: self.audit.references] if who == "refs" else rows
        return self.about_held_out[who, what][np.searchsorted(self._asked(who), rows)]

    def _asked(self, who):
        """Return the models (R,) of a cohort that ever answer about held-out examples."""
        if who == "target":
            return self.audit.targets
        return np.arange(self.cohorts[who].shape[0])

    def _rows(self, who, target):
        """Return the models that answer; of the target and of a single model, its number."""
        if who == "target":
            return target
        if who == "reference":
            return self.audit.reference_rows(target)[: self.comparisons.first]
        return self.audit.single_row(target) if who == "ref" else self.comparisons.rows(target)

    def _read_held_out(self, cohort, name, models=None):
        """Read some models' answers (R, H, ...) about the held-out examples, or their labels (H,).

        Raises ValueError, naming the file, if there are none.
        """
        held_out, parts = self.audit.held_out, []
        if not len(held_out):
            raise ValueError(f"{cohort.paths[0]}: has no held-out examples")
        for where in cohort.slices(self.step):
            first, stop = np.searchsorted(held_out, (where.start, where.stop))
            if first < stop:
                answers = cohort.read(name, where, self._last(cohort, name))
                local = held_out[first:stop] - where.start
                parts.append(answers[local] if models is None else taken(answers, models, local))
        return np.concatenate(parts, axis=0 if models is None else 1)

    def _last(self, cohort, name):
        """Return the number of queries to read, None for all; only phi has an axis of queries."""
        if name != "phi":
            return None
        available = cohort.dimensions("phi")[2]
        if self.queries and self.queries > available:
            raise ValueError(
                f"{cohort.paths[0]}: {self.queries} queries are wanted, but there are {available}"
            )
        return self.queries

    def _numbers(self):
        """Count the numbers that are read of one example, and its references' priorities."""
        numbers = sum(cohort.numbers(name) for cohort, name in self.read)
        return max(1, numbers + (self.compares + self.moves) * self.audit.shadow.shape[0])


@dataclass(frozen=True)
class Piece:
    """A slice of the examples, as one target's models answer them: read by name, when asked.

    `target`: whose; `examples` (n,): indices of those that count; `where`: the slice.
    """

    pieces: Pieces
    target: int
    examples: np.ndarray
    where: slice
    masks: Callable

    def read(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Read the arrays of these names, and no others."""
        about, found = (self.target, self.examples, self.where), {}
        if {*MASKS} & {*names}:
            found |= dict(zip(MASKS, self.masks(*about), strict=True))
        return {name: found[name] if name in found else self._array(name) for name in names}

    def _array(self, name):
        if name == "examples":
            return self.examples
        if name in ALIKE:
            of_all = self.pieces.audit.target.held(name, self.where)
            return of_all[self.examples - self.where.start]
        if name == "held_out_labels":
            return self.pieces.held_out_labels
        who, held_out, what = ANSWER.fullmatch(name).groups()
        if held_out:
            return self.pieces.held_out_answers(who, what, self.target)
        return self.pieces.answers(who, what, self.target, self.examples, self.where)
