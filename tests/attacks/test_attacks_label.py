"""Attacks that see labels alone: they are told nothing else."""

import numpy as np
import pytest

from miatlas.attacks import gap
from miatlas.leakage.roc import auc, roc


@pytest.mark.parametrize("queries", [False, True])
def test_the_gap_attack_says_member_where_the_answer_is_right(queries):
    draws = np.random.default_rng(0)
    logits, labels = draws.normal(size=(200, 5)), draws.integers(5, size=200)
    right = [max(range(5), key=z.__getitem__) == y for z, y in zip(logits, labels, strict=True)]
    given = np.stack([logits, -logits], axis=1) if queries else logits
    assert gap.score(given, labels).tolist() == [float(one) for one in right]


def test_the_gap_attacks_advantage_is_the_gap_between_the_accuracies():
    draws = np.random.default_rng(1)
    member, labels = draws.random(4000) < 0.5, draws.integers(5, size=4000)
    logits = draws.normal(size=(4000, 5)) + 2 * np.eye(5)[labels] * (0.5 + member[:, None])
    right = logits.argmax(axis=1) == labels
    area = auc(roc(gap.score(logits, labels), member))["value"]
    assert 2 * area - 1 == pytest.approx(right[member].mean() - right[~member].mean())
