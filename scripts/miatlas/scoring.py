"""Running an attack: a score per target and example, over slices of examples that fit in memory."""

import inspect
import re
from types import ModuleType, SimpleNamespace

import numpy as np

from miatlas import references
from miatlas.audits import Audit

BYTES = 48  # held for each float32 read: float64 copies, of the target, of IN and of OUT references


def score(attack: ModuleType, options: dict, audit: Audit, memory_mb: int) -> np.ndarray:
    """Return the scores (T, N) float64 of all targets, NaN where an example is not evaluated.

    At most about `memory_mb` MiB of signals are held at once, however many examples there are.
    """
    needs, queries = needed(attack, options), options.get("queries", 1)
    scores = np.full((len(audit.targets), audit.target.shape[1]), np.nan)
    learns = hasattr(attack, "LESSONS")
    pieces = Pieces(audit, needs, queries, memory_mb, learns)
    if learns:
        taught = {*attack.LESSONS, "refs_in", "refs_out"}
        material = Pieces(audit, taught, queries, memory_mb, learns)
    for row, target in zip(scores, audit.targets, strict=True):
        fitted = None
        if hasattr(attack, "fit"):
            slices = material.lessons(target) if learns else pieces.of(target)
            fitted = attack.fit(slices, **options)
        for piece in pieces.of(target):
            arguments = {name: getattr(piece, name) for name in needs if name != "fitted"}
            if "fitted" in needs:
                arguments["fitted"] = fitted
            row[piece.examples] = attack.score(**arguments, **options)
    return scores


def needed(attack: ModuleType, options: dict) -> set[str]:
    """Return the arguments that the attack's `score` takes under these options."""
    if hasattr(attack, "needs"):
        return attack.needs(options)
    parameters = inspect.signature(attack.score).parameters.values()
    return {p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}


# Whose answer about what: the target's, its shadow models', one of theirs, the third cohort's.
ANSWER = re.compile(
    r"(target|refs|ref|reference)_(held_out_)?(phi|logits|noise|gradients|distances)"
)


class Pieces:
    """What an attack needs of the signals, slice by slice of the examples it is asked about.

    Answers about held-out examples are the same in every slice, and held in memory.
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
        self.answers = [(who, what) for who, held_out, what in matches if not held_out]
        self.held_out_answers = [(who, what) for who, held_out, what in matches if held_out]
        self.compares = bool({"refs_in", "refs_out"} & needs)
        self.step = max(1, int(memory_mb * 2**20 / (BYTES * self._numbers())))
        self.held: dict[tuple, np.ndarray] = {}
        self.held_from = -1
        self.about_held_out = {
            (who, what): self._read_held_out(self.cohorts[who], what)
            for who, what in self.held_out_answers
        }

    def of(self, target: int):
        """Yield one piece per slice of the target's evaluated examples."""
        yield from self._pieces(target, self.audit.evaluated(target), self._balanced)

    def lessons(self, target: int):
        """Yield one piece per slice of the examples that the shadow models are evaluated on.

        Shadow models of the target's own cohort teach what they are asked about, IN and OUT in
        equal numbers, so that nothing can be counted; those of another cohort all they know.
        """
        if self.audit.same:
            yield from self.of(target)
        else:
            rows = self._shadow_rows(target)
            examples = np.flatnonzero(self.audit.shadow.evaluated[rows].any(axis=0))
            yield from self._pieces(target, examples, self._known)

    def _pieces(self, target, examples, masks):
        n, find = self.audit.target.shape[1], None
        for start in range(0, n, self.step):
            where = slice(start, min(start + self.step, n))
            inside = examples[(examples >= where.start) & (examples < where.stop)]
            if len(inside):
                piece = self._answers(target, inside, where)
                if self.compares:
                    find = find or masks(target, examples)
                    piece.refs_in, piece.refs_out = find(inside, where)
                yield piece

    def _answers(self, target, examples, where):
        """Return what the models answer about some examples, with the examples and labels."""
        local, labels = examples - where.start, self.audit.target.labels
        piece = SimpleNamespace(examples=examples, labels=labels[examples])
        for who, what in self.answers:
            answers = self._read(self.cohorts[who], what, where)
            setattr(piece, f"{who}_{what}", taken(answers, self._rows(who, target), local))
        if self.about_held_out:
            piece.held_out_labels = labels[self.audit.held_out]
        for (who, what), answers in self.about_held_out.items():
            rows = self._rows(who, target)
            rows = rows[: self.audit.references] if who == "refs" else rows
            setattr(piece, f"{who}_held_out_{what}", answers[rows])
        return piece

    def _rows(self, who, target):
        """Return the models that answer; of the target and of a single model, its number."""
        if who == "target":
            return target
        if who == "reference":
            return self.audit.reference_rows(target)[: self.first]
        return self.audit.shadow_rows(target)[0] if who == "ref" else self._shadow_rows(target)

    def _shadow_rows(self, target):
        return self.audit.shadow_rows(target)[: self.first]

    def _balanced(self, target, examples):
        """Return what finds equally many IN and equally many OUT references of every example."""
        shadow, rows = self.audit.shadow, self._shadow_rows(target)

        def marked(chosen):
            index = np.ix_(rows, chosen)
            known = shadow.evaluated[index] if self.audit.leave_one_out else True
            return shadow.member[index] & known, ~shadow.member[index] & known

        parts = (examples[i : i + self.step] for i in range(0, len(examples), self.step))
        fewest = np.min([references.counts(*marked(part)) for part in parts], axis=0)
        k = references.allowed(*fewest, self.audit.references, "refs_in" in self.needs)

        def find(inside, where):
            priority = references.priorities(rows, where.start, where.stop, self.audit.seed)
            return references.select(*marked(inside), *k, priority[:, inside - where.start])

        return find

    def _known(self, target, _):
        """Return what finds the members and non-members that each shadow model knows it has."""
        shadow, rows = self.audit.shadow, self._shadow_rows(target)

        def find(inside, _):
            member, evaluated = (a[np.ix_(rows, inside)] for a in (shadow.member, shadow.evaluated))
            return member & evaluated, ~member & evaluated

        return find

    def _read(self, cohort, name, where):
        """Read one slice of a cohort, or find it where the last target left it."""
        if self.held_from != where.start:
            self.held, self.held_from = {}, where.start
        if (cohort, name) not in self.held:
            self.held[cohort, name] = cohort.read(name, where, self._last(cohort, name))
        return self.held[cohort, name]

    def _read_held_out(self, cohort, name):
        """Read the answers (M, H, ...) about the held-out examples; refuse if there are none."""
        if not len(self.audit.held_out):
            raise ValueError(f"{cohort.paths[0]}: has no held-out examples")
        n, last = cohort.shape[1], self._last(cohort, name)
        slices = [slice(start, min(start + self.step, n)) for start in range(0, n, self.step)]
        inside = [np.intersect1d(self.audit.held_out, np.arange(n)[s]) - s.start for s in slices]
        parts = [cohort.read(name, s, last)[:, i] for s, i in zip(slices, inside, strict=True)]
        return np.concatenate(parts, axis=1)

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
        read = {(self.cohorts[who], what) for who, what in self.answers}
        shapes = [cohort.dimensions(name) for cohort, name in read]
        numbers = sum(shape[0] * int(np.prod(shape[2:])) for shape in shapes)
        return max(1, numbers + self.compares * self.audit.shadow.shape[0])


def taken(answers: np.ndarray, models, examples: np.ndarray) -> np.ndarray:
    """Return what some models answer about some examples; one model's number drops the axis."""
    if np.ndim(models) == 0:
        return answers[models][examples]
    return answers[np.ix_(models, examples)]
