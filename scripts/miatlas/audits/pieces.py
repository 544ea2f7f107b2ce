"""Pieces: what an attack is given, of a slice of examples that fits in memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from miatlas.audits import references
from miatlas.audits.attack import ANSWER, MASKS
from miatlas.audits.audit import Audit
from miatlas.running.store import SLICE

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
        self.audit, self.names, self.queries = audit, names, queries
        self.in_order = in_order  # the first references of an example are taken, not any by lot
        # Whoever learns from another cohort takes its models whole: there is nothing to balance.
        self.first = audit.references if learns and not audit.same else None
        self.cohorts = {"target": audit.target, "refs": audit.shadow, "ref": audit.shadow,
                        "reference": audit.reference}  # fmt: skip
        matches = [match.groups() for match in map(ANSWER.fullmatch, sorted(names)) if match]
        self.read = {(self.cohorts[who], what) for who, held_out, what in matches if not held_out}
        self.compares = bool({*MASKS} & names)
        step = max(1, int(memory_mb * 2**20 / (BYTES * self._numbers())))
        self.step = step - step % SLICE or step  # no chunk of a file is read twice
        self.numbers: dict[int, tuple[int, int]] = {}  # of IN and OUT references, by target
        self.about_held_out = {
            (who, what): self._read_held_out(self.cohorts[who], what, self._asked(who))
            for who, held_out, what in matches
            if held_out
        }
        if "held_out_labels" in names:
            self.held_out_labels = self._read_held_out(audit.target, "labels")

    def of(self, *targets: int):
        """Yield one piece per slice and target, of the target's evaluated examples."""
        yield from self._pieces(targets, self.audit.evaluated, self._balanced)

    def lessons(self, *targets: int):
        """Yield one piece per slice and target, of what the shadow models are evaluated on.

        Shadow models of the target's own cohort teach what they are asked about, IN and OUT in
        equal numbers, so that nothing can be counted; those of another cohort all they know.
        """
        if self.audit.same:
            yield from self.of(*targets)
        else:
            yield from self._pieces(targets, self._taught, self._known)

    def held_out(self, target: int) -> "Piece":
        """Return a piece without a slice: it can read answers about held-out examples alone."""
        return Piece(self, target, self.audit.held_out, slice(0, 0), self._known)

    def _pieces(self, targets, examples, masks):
        """Yield a piece of each slice that has `examples(target, slice)`, with its references."""
        for where in self.audit.target.slices(self.step):
            for target in targets:
                inside = examples(target, where)
                if len(inside):
                    yield Piece(self, target, inside, where, masks)

    def _taught(self, target, where):
        return self.audit.taught(self._shadow_rows(target), where)

    def answers(self, who, what, target, examples, where):
        """Return what someone's models answer about some examples of a slice."""
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
            return self.audit.reference_rows(target)[: self.first]
        return self.audit.single_row(target) if who == "ref" else self._shadow_rows(target)

    def _shadow_rows(self, target):
        return self.audit.shadow_rows(target)[: self.first]

    def _balanced(self, target, examples, where):
        """Return as many IN, and as many OUT references of each example as of all others."""
        self.numbers = self.numbers or self._numbers_of_all()
        rows = self._shadow_rows(target)
        priority = (
            references.in_order(rows, where.start, where.stop)
            if self.in_order
            else references.priorities(rows, where.start, where.stop, self.audit.seed)
        )
        marked = self._marked(target, examples, where, self.audit.leave_one_out)
        k_in, k_out = self.numbers[target]
        asked = priority.take(examples - where.start, axis=1)
        return references.select(*marked, k_in, k_out, asked)

    def _numbers_of_all(self):
        """Return how many IN and OUT references each target's examples have, all alike."""
        fewest = {target: [] for target in self.audit.targets.tolist()}
        for where in self.audit.target.slices(self.step):
            for target, counts in fewest.items():
                examples = self.audit.evaluated(target, where)
                if len(examples):
                    marked = self._marked(target, examples, where, self.audit.leave_one_out)
                    counts.append(references.counts(*marked))
        return {target: self._allowed(target, counts) for target, counts in fewest.items()}

    def _allowed(self, target, counts):
        """Return k_in, k_out of a target, or name the example that has too few references."""
        wanted, needs_in = self.audit.references, "refs_in" in self.names
        try:
            return references.allowed(*np.min(counts, axis=0), wanted, needs_in)
        except ValueError as error:
            example, has = self._scarcest(target, needs_in)
            raise ValueError(
                f"{self.audit.shadow.paths[0]}: {error}: by member, example {example} has {has[0]}"
                f" IN and {has[1]} OUT for target {target} (evaluated 0 leaves an example out"
                f"{', lira_offline and others need no IN' if needs_in and not has[0] else ''})"
            ) from None

    def _scarcest(self, target, needs_in):
        """Return the example with the fewest references of a needed kind; its IN and OUT ones."""
        found = []
        for where in self.audit.target.slices(self.step):
            examples = self.audit.evaluated(target, where)
            if len(examples):
                masks = self._marked(target, examples, where, self.audit.leave_one_out)
                numbers = np.array([mask.sum(axis=0) for mask in masks])
                least = numbers[0 if needs_in else 1 :].min(axis=0)
                at = int(least.argmin())
                found.append((int(least[at]), int(examples[at]), numbers[:, at].tolist()))
        return min(found)[1:]

    def _known(self, target, examples, where):
        """Return the members and non-members that each shadow model knows it has."""
        return self._marked(target, examples, where, known=True)

    def _marked(self, target, examples, where, known):
        """Return which shadow models trained on which examples, and which did not: (R, n) bool.

        `known`: only on those that they are evaluated on.
        """
        shadow, asked = self.audit.shadow, (self._shadow_rows(target), examples - where.start)
        member = taken(shadow.held("member", where), *asked)
        about = taken(shadow.held("evaluated", where), *asked) if known else True
        return member & about, ~member & about

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
        shapes = [cohort.dimensions(name) for cohort, name in self.read]
        numbers = sum(shape[0] * int(np.prod(shape[2:])) for shape in shapes)
        return max(1, numbers + self.compares * self.audit.shadow.shape[0])


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
        if name == "labels":
            labels = self.pieces.audit.target.held("labels", self.where)
            return labels[self.examples - self.where.start]
        if name == "held_out_labels":
            return self.pieces.held_out_labels
        who, held_out, what = ANSWER.fullmatch(name).groups()
        if held_out:
            return self.pieces.held_out_answers(who, what, self.target)
        return self.pieces.answers(who, what, self.target, self.examples, self.where)


def taken(answers: np.ndarray, models, examples: np.ndarray) -> np.ndarray:
    """Return what some models answer about some examples; one model's number drops the axis."""
    if np.ndim(models) == 0:
        return answers[models][examples]
    if len(examples) == answers.shape[1]:  # all of them, in their order
        return answers[models]
    return answers[models].take(examples, axis=1)  # np.ix_ takes nine times as long for two queries
