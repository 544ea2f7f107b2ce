"""Running an attack: a score per target and example, over slices of examples that fit in memory."""

import inspect
from types import ModuleType

import numpy as np

from miatlas.audits import Audit
from miatlas.pieces import Pieces


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


def _of_slice(attack, needs, options, piece, fitted):
    """Return the scores of a slice, NaN where an example is not evaluated."""
    spared = attack.only_fit_reads(options) if hasattr(attack, "only_fit_reads") else ()
    known = dict.fromkeys(spared) | {"fitted": fitted}
    arguments = {name: known[name] if name in known else getattr(piece, name) for name in needs}
    scores = np.full(piece.where.stop - piece.where.start, np.nan)
    scores[piece.examples - piece.where.start] = attack.score(**arguments, **options)
    return scores


def needed(attack: ModuleType, options: dict) -> set[str]:
    """Return the arguments that the attack's `score` takes under these options."""
    if hasattr(attack, "needs"):
        return attack.needs(options)
    parameters = inspect.signature(attack.score).parameters.values()
    return {p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
