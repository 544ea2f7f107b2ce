"""A target that has learned nothing is told by its own members, and by nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest

from miatlas.audits.audit import audit
from miatlas.audits.competence import at_chance
from miatlas.running.store import SLICE, write_h5
from miatlas.signals.answers import Signals, slices
from miatlas.signals.statistics import logit_scaled_confidence

MODELS, EXAMPLES = 4, 3000


def targets_at_chance(tmp_path, right, classes=3, logits=True, share=None):
    """Return the targets at chance; right (M, 2): how often a model is right of members, others."""
    rng = np.random.default_rng(0)
    labels = rng.choice(classes, EXAMPLES, p=share)
    member = rng.random((MODELS, EXAMPLES)) < 0.5
    chance = np.where(member, *(np.array(right)[:, [k]] for k in (0, 1)))
    hit = rng.random(member.shape) < chance
    wrong = (labels + rng.integers(1, max(classes, 2), member.shape)) % classes
    return found(tmp_path, labels, member, np.where(hit, labels, wrong), logits)


def found(tmp_path, labels, member, said, logits=True):
    """Return the targets at chance of models that say these classes (M, N)."""
    classes = max(labels.max() + 1, 2)
    z = 2.0 * np.eye(classes)[said] + 0.1 * np.random.default_rng(0).normal(size=(1, 1, classes))
    arrays = {"member": member, "labels": labels}
    arrays["phi"] = logit_scaled_confidence(z, labels)[..., None].astype(np.float32)
    write_h5(tmp_path / "s.h5", arrays | ({"logits": z} if logits else {}), {})
    signals = Signals([tmp_path / "s.h5"])
    return at_chance(audit(signals, signals, design="iid", targets=len(member), seed=0))


def test_models_that_guess_are_found_and_those_that_learned_by_heart_are_not(tmp_path):
    right = [[1 / 3, 1 / 3], [1.0, 1 / 3], [0.45, 0.4], [1 / 3, 0.9]]
    assert targets_at_chance(tmp_path, right) == [0, 3]


def test_chance_is_the_most_frequent_class(tmp_path):
    right = [[0.7, 0.7], [0.9, 0.7], [0.6, 0.6], [0.5, 0.5]]
    assert targets_at_chance(tmp_path, right, 2, share=[0.7, 0.3]) == [0, 2, 3]


@pytest.mark.parametrize("classes", [1, 3])
def test_nothing_is_said_where_nobody_can_tell(tmp_path, classes):
    assert targets_at_chance(tmp_path, [[1 / 3, 1 / 3]] * 4, classes, logits=False) == []


def test_of_two_classes_phi_tells(tmp_path):
    right = [[0.5, 0.5], [0.9, 0.5], [0.5, 0.9], [0.6, 0.6]]
    assert targets_at_chance(tmp_path, right, 2, logits=False) == [0, 2]


@pytest.mark.parametrize("spread", [1, 10])
def test_an_example_counts_once_however_few_there_are(tmp_path, spread):
    """15 right of 24 come of chance (p = 0.15), 150 of 240 do not."""
    labels, member = np.arange(48) % 2, np.arange(48) % 4 < 2
    labels, member = np.tile(labels, spread), np.tile(member, spread)
    few = np.flatnonzero(member)[: 9 * spread]
    said = labels.copy()
    said[few] = 1 - said[few]
    expected = [0] if spread == 1 else []
    assert found(tmp_path, labels, member[None], said[None]) == expected


@pytest.mark.parametrize("examples", [100, SLICE + 1, 5 * SLICE, 40 * SLICE + 7])
def test_no_chunk_of_logits_is_unpacked_twice(examples):
    """Answers come in chunks of SLICE examples, and a part of one costs as much as all of it."""
    read = []

    class Target:
        shape = 2, examples

        def slices(self, step):
            return slices(examples, step)

        def dimensions(self, name):
            return (*self.shape, 2)

        def read(self, name, where, last=None):
            if name == "logits":
                read.append(where)
            n = len(range(examples)[where])
            of = {"labels": np.arange(n) % 2, "member": np.ones((2, n), bool)}
            return of.get(name, np.zeros((2, n, 2)))

    assert at_chance(SimpleNamespace(target=Target(), targets=np.arange(2))) == [0, 1]
    chunks = [n for where in read for n in range(where.start // SLICE, -(-where.stop // SLICE))]
    assert len(set(chunks)) == len(chunks) >= min(len(range(0, examples, SLICE)), 14)
