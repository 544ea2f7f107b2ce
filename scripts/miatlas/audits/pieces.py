"""Pieces: what an attack is given, of a slice of examples that fits in memory."""

import numpy as np

from miatlas.audits import references
from miatlas.audits.attack_reads import ANSWER
from miatlas.audits.audit import Audit
from miatlas.running.store import SLICE

BYTES = 48  # held for each float32 read: float64 copies, of the target, of IN and of OUT references


class Pieces:
    """What an attack needs of the signals, slice by slice of the examples it is asked about.

    Answers about held-out examples are the same in every slice, and held in memory. The others are
    there until the next slice is read: all targets of a slice find them.
    """

    def __init__(
        self, audit: Audit, needs: set[str], queries: int | None, memory_mb: int, learns=False
    ):
        self.audit, self.needs, self.queries = audit, needs, queries
        # Whoever learns from another cohort takes its models whole: there is nothing to balance.
        self.first = audit.references if learns and not audit.same else None
        self.cohorts = {"target": audit.target, "refs": audit.shadow, "ref": audit.shadow,
                        "reference": audit.reference}  # fmt: skip
        matches = [match.groups() for match in map(ANSWER.fullmatch, sorted(needs)) if match]
        self.read = {(self.cohorts[who], what) for who, held_out, what in matches if not held_out}
        self.compares = bool({"refs_in", "refs_out"} & needs)
        step = max(1, int(memory_mb * 2**20 / (BYTES * self._numbers())))
        self.step = step - step % SLICE or step  # no chunk of a file is read twice
        self.numbers: dict[int, tuple[int, int]] = {}  # of IN and OUT references, by target
        self.about_held_out = {
            (who, what): self._read_held_out(self.cohorts[who], what, self._asked(who))
            for who, held_out, what in matches
            if held_out
        }
        if self.about_held_out:
            self.held_out_labels = self._read_held_out(audit.target, "labels")

    def of(self, *targets: int):
        """Yield one piece per slice and target, of the target's evaluated examples."""
        yield from self._pieces(targets, self.audit.evaluated, self._balanced)

    def lessons(self, target: int):
        """Yield one piece per slice of the examples that the shadow models are evaluated on.

        Shadow models of the target's own cohort teach what they are asked about, IN and OUT in
        equal numbers, so that nothing can be counted; those of another cohort all they know.
        """
        if self.audit.same:
            yield from self.of(target)
        else:
            yield from self._pieces([target], self._taught, self._known)

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
        if target not in self.numbers:
            self.numbers[target] = self._number(target)
        rows = self._shadow_rows(target)
        priority = references.priorities(rows, where.start, where.stop, self.audit.seed)
        marked = self._marked(target, examples, where, self.audit.leave_one_out)
        k_in, k_out = self.numbers[target]
        asked = priority.take(examples - where.start, axis=1)
        return references.select(*marked, k_in, k_out, asked)

    def _number(self, target):
        """Return how many IN and OUT references the target's examples have, all alike."""
        fewest = []
        for where in self.audit.target.slices(self.step):
            examples = self.audit.evaluated(target, where)
            if len(examples):
                marked = self._marked(target, examples, where, self.audit.leave_one_out)
                fewest.append(references.counts(*marked))
        least = np.min(fewest, axis=0)
        return references.allowed(*least, self.audit.references, "refs_in" in self.needs)

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


class Piece:
    """A slice of the examples: whatever an attack takes of it is read when it is asked for.

    `target`: whose; `where`: the slice; `examples` (n,): indices of those that count.
    """

    def __init__(self, pieces, target, examples, where, masks):
        self.target, self.where, self.examples = target, where, examples
        self._pieces, self._masks = pieces, masks

    def __getattr__(self, name):
        about, asked = (self.target, self.examples, self.where), ANSWER.fullmatch(name)
        if name in ("refs_in", "refs_out"):
            self.refs_in, self.refs_out = self._masks(*about)
        elif name == "labels":
            labels = self._pieces.audit.target.held("labels", self.where)
            self.labels = labels[self.examples - self.where.start]
        elif name == "held_out_labels":
            self.held_out_labels = self._pieces.held_out_labels
        elif asked and asked["held_out"]:
            answers = self._pieces.held_out_answers(asked["who"], asked["what"], self.target)
            setattr(self, name, answers)
        elif asked:
            setattr(self, name, self._pieces.answers(asked["who"], asked["what"], *about))
        else:
            raise AttributeError(name)
        return self.__dict__[name]


def taken(answers: np.ndarray, models, examples: np.ndarray) -> np.ndarray:
    """Return what some models answer about some examples; one model's number drops the axis."""
    if np.ndim(models) == 0:
        return answers[models][examples]
    return answers[models].take(examples, axis=1)  # np.ix_ takes nine times as long for two queries
