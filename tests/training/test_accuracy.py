"""What is said of a model's accuracy: chance is noticed, so are classes in another order."""

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from torch.nn import functional

from miatlas.training.accuracy import at_chance, measured, other_order, remark


def test_accuracy_and_loss_are_those_of_torch():
    stream = np.random.default_rng(1)
    logits, labels = stream.normal(size=(40, 5)).astype(np.float32), stream.integers(5, size=40)
    member = stream.random(40) < 0.5
    found = measured(logits, labels, member, ~member)
    for side, mask in (("train", member), ("test", ~member)):
        x, y = torch.tensor(logits[mask]), torch.tensor(labels[mask])
        assert found[f"{side}_loss"] == pytest.approx(
            functional.cross_entropy(x, y).item(), rel=1e-5
        )
        assert found[f"{side}_accuracy"] == pytest.approx((x.argmax(1) == y).float().mean().item())


def test_answers_that_know_nothing_are_at_chance_and_others_are_not():
    """Also where one class is common, and where every answer is the same."""
    stream = np.random.default_rng(2)
    shares = [0.7, 0.2, 0.1]
    labels = stream.choice(3, 2000, p=shares)
    chance = at_chance(stream.choice(3, 2000, p=shares), labels)
    assert chance == pytest.approx(0.54, abs=0.02)
    assert at_chance(np.zeros(2000, int), labels) == pytest.approx((labels == 0).mean())
    knowing = np.where(stream.random(2000) < 0.2, labels, stream.choice(3, 2000, p=shares))
    assert at_chance(knowing, labels) is None


def test_chance_is_passed_as_rarely_as_is_said():
    stream = np.random.default_rng(3)
    draws = stream.integers(4, size=(4000, 2, 100))
    passed = sum(at_chance(*pair) is None for pair in draws)
    assert binomtest(passed, 4000, 1e-3).pvalue > 1e-3


def test_classes_in_another_order_are_named():
    stream = np.random.default_rng(4)
    labels = stream.integers(4, size=300)
    order = np.array([0, 2, 3, 1])
    answers = np.where(stream.random(300) < 0.9, order[labels], stream.integers(4, size=300))
    assert other_order(answers, labels) == {1: 2, 2: 3, 3: 1}
    assert other_order(labels, labels) is None
    assert other_order(stream.integers(4, size=300), labels) is None


def test_a_list_of_members_that_cannot_be_right_is_remarked_on():
    better = {"train_accuracy": 0.9, "test_accuracy": 0.8, "train_loss": 0.2, "test_loss": 0.5}
    assert remark(better) is None
    assert remark(better | {"train_accuracy": 0.8})
    assert remark(better | {"train_loss": 0.5})
    turned = {"train_accuracy": 0.8, "test_accuracy": 0.9, "train_loss": 0.5, "test_loss": 0.2}
    assert "80.0% and 90.0%" in remark(turned)
