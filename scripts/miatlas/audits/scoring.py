"""Running an attack: a score per target and example, over slices of examples that fit in memory."""

import inspect
from types import ModuleType

import numpy as np

from miatlas.audits.audit import Audit
from miatlas.audits.pieces import Pieces
from miatlas.running.store import SLICE
from miatlas.signals.answers import MASKS


def score(attack: ModuleType, options: dict, audit: Audit, memory_mb: int, scores=None):
    """Return the scores (T, N) float64 of all targets, NaN where an example is not evaluated.

    At most about `memory_mb` MiB of signals are held at once, however many examples there are. The
    scores are written, slice by slice, into the array or dataset `scores` of NaN, if one is given:
    then nothing grows with the number of examples but what an attack itself keeps of each.
    """
    _check_targets(audit)
    needs, queries = needed(attack, options), options.get("queries", 1)
    if scores is None:
        scores = np.full((len(audit.targets), audit.target.shape[1]), np.nan)
    learns = hasattr(attack, "LESSONS")
    pieces = Pieces(audit, needs, queries, memory_mb, learns)
    if learns:
        taught = {*attack.LESSONS, "refs_in", "refs_out"}
        material = Pieces(audit, taught, queries, memory_mb, learns)
    fits, targets = hasattr(attack, "fit"), audit.targets.tolist()
    for group in [[target] for target in targets] if fits else [targets]:  # one fit at a time
        fitted = None  # before the next one is made
        if fits:
            slices = material.lessons(*group) if learns else pieces.of(*group)
            fitted = attack.fit(slices, **options)
        for piece in pieces.of(*group):
            row = targets.index(piece.target)
            scores[row, piece.where] = _of_slice(attack, needs, options, piece, fitted)
    return scores


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
                " that count for it"
            )


def _of_slice(attack, needs, options, piece, fitted):
    """Return the scores of a slice, NaN where an example is not evaluated."""
    spared = attack.only_fit_reads(options) if hasattr(attack, "only_fit_reads") else ()
    known = dict.fromkeys(spared) | {"fitted": fitted}
    arguments = {name: known[name] if name in known else getattr(piece, name) for name in needs}
    found = np.asarray(attack.score(**arguments, **options))
    _check_scores(attack, found, len(piece.examples))
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


def needed(attack: ModuleType, options: dict) -> set[str]:
    """Return the arguments that the attack's `score` takes under these options."""
    if hasattr(attack, "needs"):
        return attack.needs(options)
    parameters = inspect.signature(attack.score).parameters.values()
    return {p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
