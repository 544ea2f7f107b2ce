"""Attacks with one threshold for all examples."""

import numpy as np
import pytest

from miatlas.attacks import confidence, entropy, hinge, logit, loss, song_mittal
from miatlas.signals.statistics import logit_scaled_confidence


@pytest.fixture
def signals():
    generator = np.random.default_rng(3)
    logits, labels = generator.normal(size=(50, 2, 4)) * 3, generator.integers(4, size=50)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)  # N, Q, C
    p_y = np.take_along_axis(p, labels[:, None, None], axis=-1)[..., 0]
    return logits, labels, p, p_y, np.log(p_y / (1 - p_y))


@pytest.mark.parametrize("queries", [1, 2])
def test_scores_from_phi_average_the_statistic_over_the_first_queries(signals, queries):
    *_, p_y, phi = signals
    first = p_y[:, :queries]
    assert loss.score(phi, queries=queries) == pytest.approx(np.log(first).mean(axis=1))
    assert confidence.score(phi, queries=queries) == pytest.approx(first.mean(axis=1))
    assert logit.score(phi, queries=queries) == pytest.approx(phi[:, :queries].mean(axis=1))


def test_scores_from_logits_look_at_the_untouched_example_alone(signals):
    logits, labels, p, *_ = signals
    own = logits[np.arange(50), 0, labels]
    rival = [np.delete(logits[i, 0], labels[i]).max() for i in range(50)]
    for given in (logits, logits[:, 0]):
        assert hinge.score(given, labels) == pytest.approx(own - rival)
        assert entropy.score(given) == pytest.approx((p * np.log(p)).sum(axis=-1)[:, 0])


def test_on_one_query_loss_confidence_and_logit_are_the_same_attack(signals):
    phi = signals[-1]
    order = np.argsort(logit.score(phi))
    assert np.array_equal(np.argsort(loss.score(phi)), order)
    assert np.array_equal(np.argsort(confidence.score(phi)), order)


def test_the_loss_keeps_apart_what_the_confidence_rounds_to_one():
    phi = np.array([[40.0], [60.0], [500.0]])
    assert len(np.unique(confidence.score(phi))) == 1
    assert (np.diff(loss.score(phi)) > 0).all()


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_hinge_is_the_stable_logit_up_to_the_number_of_wrong_classes(classes):
    """carlini2022 §VI-A: log Σ_{c≠y} exp z_c lies between max z_c and that plus log(C - 1)."""
    generator = np.random.default_rng(4)
    logits = generator.normal(size=(500, classes)) * generator.choice([0.1, 3, 40], size=(500, 1))
    labels = generator.integers(classes, size=500)
    difference = hinge.score(logits, labels) - logit_scaled_confidence(logits, labels)
    assert difference.min() >= -1e-12
    assert difference.max() <= np.log(classes - 1) + 1e-12
    if classes == 2:
        assert difference == pytest.approx(0, abs=1e-12)


def test_the_entropy_does_not_see_the_label_and_takes_the_surely_wrong_for_the_surely_right():
    """What Song & Mittal hold against it (§III-B), and their modified entropy tells apart."""
    logits = np.random.default_rng(5).normal(size=(50, 4)) * 3
    for order in ([1, 0, 2, 3], [3, 2, 1, 0]):
        assert entropy.score(logits[:, order]) == pytest.approx(entropy.score(logits), rel=1e-12)
    right, wrong = np.array([[9.0, 0, 0, 0]]), np.array([[0, 9.0, 0, 0]])
    assert entropy.score(right) == pytest.approx(entropy.score(wrong))
    label = np.array([0])
    modified = song_mittal.modified_entropy
    assert modified(wrong, label) > 1000 * modified(right, label)
