"""Shares of named pairs: values by counting, intervals by what they are made of."""

import numpy as np
import pytest

from miatlas.leakage.intervals import clopper_pearson
from miatlas.leakage.overlap import jaccard, share
from miatlas.leakage.targets import reach


def drawn(shape=(4, 200), likely=(0.3, 0.4), seed=0):
    generator = np.random.default_rng(seed)
    common = generator.normal(size=shape)
    return [common + generator.normal(size=shape) < np.quantile(common, p) for p in likely]


def test_the_jaccard_index_is_that_of_sets():
    first, second = drawn()
    sets = [{*zip(*np.nonzero(one), strict=True)} for one in (first, second)]
    found = jaccard(first, second)
    assert found["value"] == len(sets[0] & sets[1]) / len(sets[0] | sets[1])
    assert (found["part"], found["whole"]) == (len(sets[0] & sets[1]), len(sets[0] | sets[1]))
    assert found == jaccard(second, first)


def test_one_target_has_the_interval_of_a_proportion():
    first, second = drawn((1, 200))
    found = jaccard(first, second)
    expected = clopper_pearson(found["part"], found["whole"])
    assert (found["low"], found["high"]) == pytest.approx(expected)


def test_several_targets_have_that_of_a_ratio_at_least():
    first, second = drawn((3, 400))
    found = jaccard(first, second)
    both, either = (first & second), (first | second)
    ratio = lambda w: (w * both).sum() / (w * either).sum()  # noqa: E731
    influence = np.zeros(first.shape)
    for place in zip(*np.nonzero(either), strict=True):  # the derivative by a pair's weight
        weights = np.ones(first.shape)
        weights[place] += 1e-6
        influence[place] = (ratio(weights) - ratio(np.ones(first.shape))) / 1e-6
    around = reach(influence.sum(axis=1), influence)
    assert found["low"] <= found["value"] - around + 1e-6
    assert found["high"] >= found["value"] + around - 1e-6


def test_examples_named_under_every_target_count_once():
    one = np.random.default_rng(0).random((1, 300)) < 0.5
    alike = np.repeat(one, 6, axis=0)
    apart = np.random.default_rng(1).random((6, 300)) < 0.5
    whole = np.ones((6, 300), bool)
    widths = [found["high"] - found["low"] for found in (share(alike, whole), share(apart, whole))]
    assert widths[0] > 1.8 * widths[1]


def test_edges():
    nobody, few = np.zeros((2, 50), bool), np.zeros((2, 50), bool)
    few[:, :3] = True
    assert jaccard(nobody, nobody) == dict.fromkeys(["value", "low", "high"]) | {
        "part": 0, "whole": 0,
    }  # fmt: skip
    found = jaccard(few, nobody)
    assert (found["value"], found["low"], found["whole"]) == (0.0, None, 6)
    same = np.random.default_rng(0).random((3, 100)) < 0.4
    found = jaccard(same, same)
    assert found["value"] == found["high"] == 1.0
    assert 0.9 < found["low"] < 1.0
