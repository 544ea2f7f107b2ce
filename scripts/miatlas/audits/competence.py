"""Whether targets have learned anything at all: one that has not has nothing to leak."""

import numpy as np
from scipy.special import bdtrc

from miatlas.audits.audit import Audit
from miatlas.running.store import SLICE

# The most stretches of examples, spread over all, that targets are judged by: each at the start of
# a chunk of the files, of which other software's may be packed.
STRETCHES, LENGTH = 16, 1024
LEVEL = 0.05


def at_chance(audit: Audit) -> list[int]:
    """Return the targets that label their own training examples no better than chance.

    Chance is to say the most frequent class; a target is no better if so many right answers among
    its members come of chance with a probability above LEVEL. Members, as a model may know nothing
    else. None is returned where nobody can tell: of one class, and of more than two without logits.
    """
    step = SLICE * -(-audit.target.shape[1] // (STRETCHES * SLICE))
    starts = [where.start for where in audit.target.slices(step)]
    parts = [_answers(audit, slice(start, start + LENGTH)) for start in starts]
    right, member, labels = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
    classes = np.bincount(labels)
    if np.count_nonzero(classes) < 2 or (len(classes) > 2 and not _has_logits(audit)):
        return []
    hits = (right & member).sum(axis=1)
    by_chance = bdtrc(hits - 1, member.sum(axis=1), classes.max() / len(labels))  # Pr[X >= hits]
    return audit.targets[by_chance > LEVEL].tolist()


def _answers(audit, where):
    """Return which labels the targets say rightly, their members (T, n), and the labels (n,)."""
    where = slice(where.start, min(where.stop, audit.target.shape[1]))
    labels, member = (audit.target.read(name, where) for name in ("labels", "member"))
    if _has_logits(audit):
        logits = audit.target.read("logits", where)[audit.targets]
        right = (logits if logits.ndim == 3 else logits[:, :, 0]).argmax(-1) == labels
    else:
        right = audit.target.read("phi", where, last=1)[audit.targets, :, 0] > 0
    return right, member[audit.targets], labels


def _has_logits(audit):
    try:
        return bool(audit.target.dimensions("logits"))
    except ValueError:  # a cohort of other software may have none
        return False
