"""Label noise and class overlap: how much of it, of which classes, and never in the test labels."""

import numpy as np
import pytest

from miatlas.populations.altered import with_class_overlap, with_label_noise
from miatlas.populations.base import Population


def population(n=6000, classes=4, tests=1000, dtype=np.float32):
    """Return examples whose first number is their class, times 40."""
    generator = np.random.default_rng(0)
    labels = generator.integers(classes, size=n)
    x = np.stack([40 * labels, generator.integers(256, size=n)], axis=1).astype(dtype)
    if dtype == np.uint8:
        x = x.reshape(n, 1, 1, 2)
    names = [str(c) for c in range(classes)]
    return Population(x, labels, np.arange(n) < tests, names, "source", scale=1.0)


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_that_share_of_the_labels_is_wrong_and_every_other_class_is_equally_likely(share):
    before = population()
    after = with_label_noise(before, share, np.random.default_rng(1))
    changed = after.labels != before.labels
    assert changed.sum() == round(share * 5000)
    assert not changed[before.test].any()
    assert (after.x == before.x).all()
    moved = (after.labels - before.labels)[changed] % 4
    counts = np.bincount(moved, minlength=4)[1:]
    assert (np.abs(counts - changed.sum() / 3) <= 5 * np.sqrt(changed.sum() / 3)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_overlap_mixes_in_another_class_of_the_same_part(dtype):
    before = population(dtype=dtype)
    after = with_class_overlap(before, 0.25, np.random.default_rng(1))
    assert (after.labels == before.labels).all()
    assert after.x.dtype == before.x.dtype
    mixed = after.x.reshape(len(after), -1)[:, 0].astype(float)
    other = (mixed - 0.75 * 40 * before.labels) / (0.25 * 40)  # the partner's class
    assert np.abs(other - other.round()).max() < 1e-4
    assert (other.round() != before.labels).all()
    for label in range(4):  # every other class in proportion
        partners = np.bincount(other[before.labels == label].round().astype(int), minlength=4)
        assert np.abs(partners[partners > 0] / partners.sum() - 1 / 3).max() < 0.06


def test_without_overlap_nothing_changes_and_one_class_has_no_other():
    before = population()
    assert (with_class_overlap(before, 0.0, np.random.default_rng(1)).x == before.x).all()
    single = population(classes=1)
    for alter in (with_class_overlap, with_label_noise):
        with pytest.raises(ValueError, match="needs two classes"):
            alter(single, 0.5, np.random.default_rng(1))


def test_what_is_drawn_is_the_generators():
    for alter in (with_class_overlap, with_label_noise):
        first, again, other = (
            alter(population(), 0.3, np.random.default_rng(s)) for s in (1, 1, 2)
        )
        assert (first.x == again.x).all()
        assert (first.labels == again.labels).all()
        assert (first.x != other.x).any() or (first.labels != other.labels).any()
