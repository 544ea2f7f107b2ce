"""Students that stand in for their teachers, and see none of the teachers' members."""

from typing import NamedTuple

import numpy as np

from miatlas.designs.base import Membership


class Students(NamedTuple):
    """What K students are audited for, and what they train on, bool (K, P)."""

    membership: Membership
    trained: np.ndarray


def unseen(drawn: Membership, teachers: Membership) -> Students:
    """Return students that train on what they drew without their teachers' members.

    `drawn` and `teachers`, rows of each student and of its teacher. Members are the teachers': what
    a student tells about these, it has from its teacher's answers. About what it trained on itself
    it is not asked. Raises ValueError for a student without an example left.
    """
    trained = drawn.member & ~teachers.member
    if not trained.any(axis=1).all():
        raise ValueError("a student drew nothing but its teacher's members: draw more (design)")
    evaluated = teachers.evaluated & ~trained
    share = 1.0 - teachers.size / teachers.member.shape[1]
    size = max(round(drawn.size * share), 1)
    return Students(Membership(teachers.member, evaluated, size), trained)
