"""Running an attack: a score per target and example, over slices of examples that fit in memory."""

import inspect
import re
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

import numpy as np

from miatlas import references
from miatlas.membership import partners
from miatlas.roles import HELD_OUT
from miatlas.store import Signals

BYTES = 48  # held for each float32 read: float64 copies, of the target, of IN and of OUT references


@dataclass
class Audit:
    """Targets (T,) of one cohort, attacked with the models of another, or of the same one.

    `exclude` maps a target to the shadow models that must not be its references: itself and its
    pair where the cohorts are the same, none otherwise.
    """

    target: Signals
    shadow: Signals
    targets: np.ndarray
    exclude: dict[int, set[int]]
    seed: int
    references: int | None = None

    def evaluated(self, target: int) -> np.ndarray:
        """Return the indices of the examples that count for a target."""
        return np.flatnonzero(self.target.evaluated[target])

    @property
    def held_out(self) -> np.ndarray:
        """Return the indices (H,) of the examples that no model of either cohort trained on."""
        roles = (self.target.role, self.shadow.role)
        return np.flatnonzero((roles[0] == HELD_OUT) & (roles[1] == HELD_OUT))

    def reference_rows(self, target: int) -> np.ndarray:
        """Return the shadow models (R,) that a target is compared with."""
        return np.setdiff1d(np.arange(self.shadow.shape[0]), list(self.exclude[target]))


def audit(target, shadow, *, same: bool, design: str, targets: int | None, seed, references=None):
    """Return the audit of the first `targets` models (default: ten, or all there are).

    Raises ValueError when there are fewer models, or when the cohorts' examples differ.
    """
    models = target.shape[0]
    wanted = targets or min(10, models)
    if wanted > models:
        raise ValueError(f"{wanted} targets, but the target cohort has {models} models")
    if not np.array_equal(target.labels, shadow.labels):
        raise ValueError(f"{target.paths[0]} and {shadow.paths[0]}: their examples' labels differ")
    exclude = {t: partners(design, t) if same else set() for t in range(wanted)}
    return Audit(target, shadow, np.arange(wanted), exclude, seed, references)


def score(attack: ModuleType, options: dict, audit: Audit, memory_mb: int) -> np.ndarray:
    """Return the scores (T, N) float64 of all targets, NaN where an example is not evaluated.

    At most about `memory_mb` MiB of signals are held at once, however many examples there are.
    """
    needs = needed(attack, options)
    scores = np.full((len(audit.targets), audit.target.shape[1]), np.nan)
    pieces = Pieces(audit, needs, options.get("queries", 1), memory_mb)
    for row, target in zip(scores, audit.targets, strict=True):
        fitted = attack.fit(pieces.of(target), **options) if hasattr(attack, "fit") else None
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


SIGNAL = re.compile(r"(target|refs)_(held_out_)?(phi|logits)")


class Pieces:
    """What an attack needs of the signals, slice by slice of the evaluated examples.

    Answers about held-out examples are the same in every slice, and held in memory.
    """

    def __init__(self, audit: Audit, needs: set[str], queries: int | None, memory_mb: int):
        self.audit, self.needs, self.queries = audit, needs, queries
        signals = [match.groups() for match in map(SIGNAL.fullmatch, sorted(needs)) if match]
        self.arrays = {array for _, held_out, array in signals if not held_out}
        self.held_out_arrays = {array for _, held_out, array in signals if held_out}
        self.compares = bool({"refs_in", "refs_out"} & needs)
        self.step = max(1, int(memory_mb * 2**20 / (BYTES * self._numbers())))
        self.held: dict[tuple, np.ndarray] = {}
        self.held_from = -1
        self.held_out = {
            (cohort, name): self._read_held_out(cohort, name)
            for cohort in (audit.target, audit.shadow)
            for name in self.held_out_arrays
        }

    def of(self, target: int):
        """Yield one piece per slice, with what is read of the target and of its references."""
        examples, rows = self.audit.evaluated(target), self.audit.reference_rows(target)
        k = self._reference_counts(rows, examples) if self.compares else None
        for start in range(0, len(self.audit.target.labels), self.step):
            where = slice(start, min(start + self.step, len(self.audit.target.labels)))
            inside = examples[(examples >= where.start) & (examples < where.stop)]
            if len(inside):
                yield self._piece(target, rows, inside, where, k)

    def _about_held_out(self, target, rows):
        """Return what target and references answer about the held-out examples, by name."""
        shown = {"held_out_labels": self.audit.target.labels[self.audit.held_out]}
        for name in self.held_out_arrays:
            shown[f"target_held_out_{name}"] = self.held_out[self.audit.target, name][target]
            if f"refs_held_out_{name}" in self.needs:
                used = rows[: self.audit.references]
                shown[f"refs_held_out_{name}"] = self.held_out[self.audit.shadow, name][used]
        return shown

    def _piece(self, target, rows, examples, where, k):
        local = examples - where.start
        piece = SimpleNamespace(examples=examples, labels=self.audit.target.labels[examples])
        if self.held_out_arrays:
            vars(piece).update(self._about_held_out(target, rows))
        for name in self.arrays:
            of_targets = self._read(self.audit.target, name, where)
            setattr(piece, f"target_{name}", of_targets[target][local])
            if f"refs_{name}" in self.needs:
                of_shadows = self._read(self.audit.shadow, name, where)
                setattr(piece, f"refs_{name}", of_shadows[np.ix_(rows, local)])
        if self.compares:
            member = self.audit.shadow.member[np.ix_(rows, examples)]
            priority = references.priorities(rows, where.start, where.stop, self.audit.seed)
            piece.refs_in, piece.refs_out = references.select(member, *k, priority[:, local])
        return piece

    def _reference_counts(self, rows, examples):
        fewest = references.counts(self.audit.shadow.member[np.ix_(rows, examples)])
        return references.allowed(*fewest, self.audit.references, "refs_in" in self.needs)

    def _read(self, cohort, name, where):
        """Read one slice of a cohort, or find it where the last target left it."""
        if self.held_from != where.start:
            self.held, self.held_from = {}, where.start
        if (cohort, name) not in self.held:
            last = self._queries(cohort) if name == "phi" else None
            self.held[cohort, name] = cohort.read(name, where, last)
        return self.held[cohort, name]

    def _read_held_out(self, cohort, name):
        """Read the answers (M, H, ...) about the held-out examples; refuse if there are none."""
        if not len(self.audit.held_out):
            raise ValueError(f"{cohort.paths[0]}: has no held-out examples")
        last = self._queries(cohort) if name == "phi" else None
        n = cohort.shape[1]
        slices = [slice(start, min(start + self.step, n)) for start in range(0, n, self.step)]
        inside = [np.intersect1d(self.audit.held_out, np.arange(n)[s]) - s.start for s in slices]
        parts = [cohort.read(name, s, last)[:, i] for s, i in zip(slices, inside, strict=True)]
        return np.concatenate(parts, axis=1)

    def _queries(self, cohort):
        available = cohort.dimensions("phi")[2]
        if self.queries and self.queries > available:
            raise ValueError(
                f"{cohort.paths[0]}: {self.queries} queries are wanted, but there are {available}"
            )
        return self.queries

    def _numbers(self):
        """Count the numbers that are read of one example, and its references' priorities."""
        read = {(self.audit.target, name) for name in self.arrays}
        read |= {(self.audit.shadow, n) for n in self.arrays if f"refs_{n}" in self.needs}
        shapes = [cohort.dimensions(name) for cohort, name in read]
        numbers = sum(shape[0] * int(np.prod(shape[2:])) for shape in shapes)
        return max(1, numbers + self.compares * self.audit.shadow.shape[0])
