"""Running an attack: a score per target and example, over slices of examples that fit in memory."""

from types import ModuleType, SimpleNamespace

import numpy as np

from miatlas.audits.attack import MASKS as REFERENCES
from miatlas.audits.attack import of_held_out
from miatlas.audits.audit import Audit
from miatlas.audits.pieces import Pieces
from miatlas.running.store import SLICE
from miatlas.signals.answers import MASKS


def score(attack: ModuleType, options: dict, audit: Audit, memory_mb: int, scores=None):
    """Return the scores (T, N) float64 of all targets, NaN where an example is not evaluated.

    At most about `memory_mb` MiB of signals are held at once, however many examples there are. The
    scores are written, slice by slice, into the array or dataset `scores` of NaN, if one is given:
    then nothing grows with the number of examples but what an attack itself keeps of each.

    Targets share each pass over the signals, unless the attack keeps too much of them for that.
    """
    _check_targets(audit)
    if scores is None:
        scores = np.full((len(audit.targets), audit.target.shape[1]), np.nan)
    targets, made = audit.targets.tolist(), Fits(attack, options, audit, memory_mb)
    for group in [targets] if made.share_a_pass else [[target] for target in targets]:
        fitted = None  # before the next ones are made
        fitted = made.of(group)
        for piece in made.pieces.of(*group):
            row = targets.index(piece.target)
            scores[row, piece.where] = _of_slice(made, piece, fitted[piece.target])
    return scores


class Fits:
    """What an attack fits for each target, and the pieces that it is fitted to and scores."""

    def __init__(self, attack: ModuleType, options: dict, audit: Audit, memory_mb: int):
        said, queries = attack.ATTACK, options.get("queries", 1)
        self.attack, self.options, self.names = attack, options, said.read_by_fit(options)
        read = said.read_by_score(options) if said.learns else said.read(options)
        by_order = said.compares_in_order(options)
        self.pieces = Pieces(audit, read, queries, memory_mb, said.learns, by_order)
        self.slices = self.pieces.of
        if said.learns:
            taught = self.names | {*REFERENCES}
            self.slices = Pieces(audit, taught, queries, memory_mb, said.learns).lessons
        self.of_held_out = not said.learns and all(map(of_held_out, self.names))
        self.share_a_pass = said.shares_pass or self.of_held_out  # also where there is none
        self.kept, self.room = {}, memory_mb * 2**20 // 4  # derived arrays, and bytes for more

    def of(self, targets: list[int]) -> dict[int, dict]:
        """Return what `score` is given of the fit of each target: {"fitted": ...}, {} without."""
        if not self.names:
            return {target: {} for target in targets}
        if self.of_held_out:
            seen = {target: [self._shown(self.pieces.held_out(target))] for target in targets}
        elif self.share_a_pass:
            seen = {target: [] for target in targets}
            for piece in self.slices(*targets):
                summary = self.attack.summarise(self._shown(piece), **self.options)
                seen[piece.target].append(summary)
        else:
            seen = {target: map(self._shown, self.slices(target)) for target in targets}
        return {t: {"fitted": self.attack.fit(each, **self.options)} for t, each in seen.items()}

    def scored(self, piece) -> dict:
        """Return what `score` reads of a piece, by name."""
        return self._read(piece, self.attack.ATTACK.read_by_score(self.options))

    def _read(self, piece, names):
        found = piece.read(names - {"derived"})
        return found | {"derived": self._derived(piece)} if "derived" in names else found

    def _shown(self, piece):
        """Return what `fit` reads of a piece, as attributes; `score` gets what is derived."""
        found = self._read(piece, self.names)
        size = sum(part.nbytes for part in found.get("derived", {}).values())
        if 0 < size <= self.room:
            self.kept[piece.target, piece.where.start] = found["derived"]
            self.room -= size
        return SimpleNamespace(**found)

    def _derived(self, piece):
        """Return what the attack derives of a piece: for the last time, if it was kept."""
        try:
            return self.kept.pop((piece.target, piece.where.start))
        except KeyError:
            given = piece.read(self.attack.ATTACK.read_by_derive(self.options))
            return self.attack.derive(SimpleNamespace(**given), **self.options)


def _check_targets(audit):
    """Refuse a target of which nothing could be measured: models of other software may be so."""
    there = np.zeros((2, len(audit.targets)), bool)
    for where in audit.target.slices(SLICE):
        member, evaluated = (audit.target.held(name, where)[audit.targets] for name in MASKS)
        there |= [(evaluated & member).any(axis=1), (evaluated & ~member).any(axis=1)]
    for kind, enough in zip(("members", "non-members"), there, strict=True):
        if not enough.all():
            raise ValueError(
                f"{audit.target.paths[0]}: by its array member, model"
                f" {audit.targets[enough.argmin()]}, a target, has no {kind} among the examples"
                " that count for it by its array evaluated (without one: the pool by role)"
            )


def _of_slice(made: Fits, piece, fitted):
    """Return the scores of a slice, NaN where an example is not evaluated.

    What is read of it is held here alone, and let go of before the next is read.
    """
    found = np.asarray(made.attack.score(**made.scored(piece), **fitted, **made.options))
    _check_scores(made.attack, found, len(piece.examples))
    scores = np.full(piece.where.stop - piece.where.start, np.nan)
    scores[piece.examples - piece.where.start] = found
    return scores


def _check_scores(attack, found, examples):
    """Refuse scores that are not one finite number for each example: others count as none."""
    name = attack.score.__module__.rpartition(".")[2]
    if found.shape != (examples,) or found.dtype.kind not in "buif":
        raise ValueError(
            f"attack {name}: its scores are {found.dtype} of shape {found.shape}, expected a number"
            f" for each of {examples} examples: shape ({examples},)"
        )
    if not (finite := np.isfinite(found)).all():
        raise ValueError(
            f"attack {name}: {examples - finite.sum()} of {examples} scores are not finite,"
            f" e.g. {found[~finite][0]}"
        )
