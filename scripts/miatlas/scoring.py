"""Running an attack: a score per target and example, over slices of examples that fit in memory."""

import inspect
import re
from functools import partial
from types import ModuleType, SimpleNamespace

import numpy as np

from miatlas import references
from miatlas.audits import Audit

BYTES = 48  # held for each float32 read: float64 copies, of the target, of IN and of OUT references


def score(attack: ModuleType, options: dict, audit: Audit, memory_mb: int, scores=None):
    """Return the scores (T, N) float64 of all targets, NaN where an example is not evaluated.

    At most about `memory_mb` MiB of signals are held at once, however many examples there are. The
    scores are written, slice by slice, into the array or dataset `scores` of NaN, if one is given:
    then nothing grows with the number of examples but what an attack itself keeps of each.
    """
    needs, queries = needed(attack, options), options.get("queries", 1)
    if scores is None:
        scores = np.full((len(audit.targets), audit.target.shape[1]), np.nan)
    learns = hasattr(attack, "LESSONS")
    pieces = Pieces(audit, needs, queries, memory_mb, learns)
    if learns:
        taught = {*attack.LESSONS, "refs_in", "refs_out"}
        material = Pieces(audit, taught, queries, memory_mb, learns)
    for row, target in enumerate(audit.targets):
        fitted = None  # before the next one is made
        if hasattr(attack, "fit"):
            slices = material.lessons(target) if learns else pieces.of(target)
            fitted = attack.fit(slices, **options)
        for piece in pieces.of(target):
            scores[row, piece.where] = _of_slice(attack, needs, options, piece, fitted)
    return scores


def _of_slice(attack, needs, options, piece, fitted):
    """Return the scores of a slice, NaN where an example is not evaluated."""
    arguments = {name: getattr(piece, name) for name in needs if name != "fitted"}
    arguments |= {"fitted": fitted} if "fitted" in needs else {}
    scores = np.full(piece.where.stop - piece.where.start, np.nan)
    scores[piece.examples - piece.where.start] = attack.score(**arguments, **options)
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

    Answers about held-out examples are the same in every slice, and held in memory. The others are
    there until the next slice is read: where one slice is everything, the next target finds them.
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
        self.numbers: dict[int, tuple[int, int]] = {}  # of IN and OUT references, by target
        self.about_held_out = {
            (who, what): self._read_held_out(self.cohorts[who], what)
            for who, what in self.held_out_answers
        }
        if self.about_held_out:
            self.held_out_labels = self._read_held_out(audit.target, "labels", axis=0)

    def of(self, target: int):
        """Yield one piece per slice of the target's evaluated examples."""
        yield from self._pieces(target, partial(self.audit.evaluated, target), self._balanced)

    def lessons(self, target: int):
        """Yield one piece per slice of the examples that the shadow models are evaluated on.

        Shadow models of the target's own cohort teach what they are asked about, IN and OUT in
        equal numbers, so that nothing can be counted; those of another cohort all they know.
        """
        if self.audit.same:
            yield from self.of(target)
        else:
            examples = partial(self.audit.taught, self._shadow_rows(target))
            yield from self._pieces(target, examples, self._known)

    def _pieces(self, target, examples, masks):
        """Yield a piece of each slice that has `examples(slice)`, with `masks` of references."""
        for where in self.audit.target.slices(self.step):
            inside = examples(where)
            if len(inside):
                piece = self._answers(target, inside, where)
                if self.compares:
                    piece.refs_in, piece.refs_out = masks(target, inside, where)
                yield piece

    def _answers(self, target, examples, where):
        """Return what the models answer about some examples, with the examples and labels."""
        local, labels = examples - where.start, self.audit.target.held("labels", where)
        piece = SimpleNamespace(where=where, examples=examples, labels=labels[local])
        for who, what in self.answers:
            cohort = self.cohorts[who]
            answers = cohort.held(what, where, self._last(cohort, what))
            setattr(piece, f"{who}_{what}", taken(answers, self._rows(who, target), local))
        if self.about_held_out:
            piece.held_out_labels = self.held_out_labels
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

    def _balanced(self, target, examples, where):
        """Return as many IN, and as many OUT references of each example as of all others."""
        if target not in self.numbers:
            self.numbers[target] = self._number(target)
        rows = self._shadow_rows(target)
        priority = references.priorities(rows, where.start, where.stop, self.audit.seed)
        marked = self._marked(target, examples, where, self.audit.leave_one_out)
        k_in, k_out = self.numbers[target]
        return references.select(*marked, k_in, k_out, priority[:, examples - where.start])

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
        shadow, index = self.audit.shadow, np.ix_(self._shadow_rows(target), examples - where.start)
        member = shadow.held("member", where)[index]
        about = shadow.held("evaluated", where)[index] if known else True
        return member & about, ~member & about

    def _read_held_out(self, cohort, name, axis=1):
        """Read the answers (M, H, ...) about the held-out examples; refuse if there are none."""
        held_out, parts = self.audit.held_out, []
        if not len(held_out):
            raise ValueError(f"{cohort.paths[0]}: has no held-out examples")
        for where in cohort.slices(self.step):
            first, stop = np.searchsorted(held_out, (where.start, where.stop))
            if first < stop:
                answers = cohort.read(name, where, self._last(cohort, name))
                parts.append(answers.take(held_out[first:stop] - where.start, axis))
        return np.concatenate(parts, axis)

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
