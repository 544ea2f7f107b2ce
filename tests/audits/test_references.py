"""The same number of IN and of OUT references for every example, and no look at the target."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miatlas.audits import references
from miatlas.leakage.metrics import evaluate


def half_design(models, examples, seed=0):
    draws = np.random.default_rng(seed).random((models, examples))
    return np.argsort(np.argsort(draws, axis=0), axis=0) < models // 2


def test_without_balancing_the_count_of_references_separates_members_perfectly():
    member = half_design(16, 400)
    target, refs = member[:1], member[1:]
    everything = np.ones((1, 400), bool)
    naive = -refs.sum(axis=0)[None].astype(float)  # looks at no model's answer at all
    assert evaluate(naive, target, everything, [0])["pooled"]["auc"]["value"] == 1.0

    refs_in, refs_out = references.balanced(refs, None, seed=1)
    assert set(refs_in.sum(axis=0)) == set(refs_out.sum(axis=0)) == {7}
    balanced = -refs_in.sum(axis=0)[None].astype(float)
    assert evaluate(balanced, target, everything, [0])["pooled"]["auc"]["value"] == 0.5


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(3, 12), st.integers(1, 40))
def test_masks_are_disjoint_subsets_with_one_count(seed, models, examples):
    member = np.random.default_rng(seed).random((models, examples)) < 0.5
    fewest_in, fewest_out = references.counts(member, ~member)
    assert (fewest_in, fewest_out) == (member.sum(0).min(), (~member).sum(0).min())
    if fewest_out:
        refs_in, refs_out = references.balanced(member, None, seed, needs_in=False)
        assert (refs_in.sum(axis=0) == fewest_in).all()
        assert (refs_out.sum(axis=0) == fewest_out).all()
        assert not (refs_in & ~member).any()
        assert not (refs_out & member).any()


def test_every_reference_has_the_same_chance():
    member = np.zeros((8, 20_000), bool)
    _, chosen = references.balanced(member, 2, seed=3, needs_in=False)
    share = chosen.mean(axis=1)
    assert share == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / 20_000))
    pairs = (chosen[0] & chosen[1]).mean()  # 2 of 8: 1 of 28 pairs
    assert pairs == pytest.approx(1 / 28, abs=5 * np.sqrt(1 / 28 / 20_000))


def test_fewer_references_are_a_subset_of_more():
    member = half_design(33, 300)[1:]
    smaller = references.balanced(member, 4, seed=5)
    for n in (8, 16, 28):
        larger = references.balanced(member, n, seed=5)
        for few, many in zip(smaller, larger, strict=True):
            assert not (few & ~many).any()
            assert (many.sum(axis=0) == n // 2).all()
        smaller = larger


def test_slices_choose_what_the_whole_chooses():
    member = half_design(16, 100)[1:]
    models = np.arange(1, 16)
    whole = references.balanced(member, None, 7, models)
    pieces = [slice(0, 1), slice(1, 42), slice(42, 100)]
    counts = [references.counts(member[:, piece], ~member[:, piece]) for piece in pieces]
    k = references.allowed(min(c[0] for c in counts), min(c[1] for c in counts))
    for piece in pieces:
        priority = references.priorities(models, piece.start, piece.stop, 7)
        chosen = references.select(member[:, piece], ~member[:, piece], *k, priority)
        assert np.array_equal(chosen[0], whole[0][:, piece])
        assert np.array_equal(chosen[1], whole[1][:, piece])


def test_a_models_priority_depends_on_nothing_but_seed_model_and_example():
    some = references.priorities(np.array([2, 5]), 10, 20, seed=1)
    more = references.priorities(np.arange(8), 0, 30, seed=1)
    assert np.array_equal(some, more[[2, 5], 10:20])
    assert len(np.unique(more)) == more.size
    assert not np.isin(references.priorities(np.arange(8), 0, 30, seed=2), more).any()


def test_permuting_the_references_permutes_the_choice():
    member = half_design(16, 60)[1:]
    order = np.random.default_rng(0).permutation(15)
    straight = references.balanced(member, 8, 2, np.arange(15))
    permuted = references.balanced(member[order], 8, 2, order)
    for a, b in zip(straight, permuted, strict=True):
        assert np.array_equal(a[order], b)


def test_the_number_of_references_and_how_it_is_split():
    assert references.allowed(31, 32) == (31, 32)
    assert references.allowed(31, 31, 16) == (8, 8)
    assert references.allowed(0, 32, needs_in=False) == (0, 32)
    assert references.allowed(0, 32, 16, needs_in=False) == (0, 16)
    assert references.allowed(31, 31, 15, needs_in=False) == (0, 15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((31, 31, 64), "64 references.*32 IN and 32 OUT.* only 31 IN or 31 OUT"),
        ((31, 31, 7), "7 references cannot be split"),
        ((31, 31, 0), "0 references cannot be split"),
        ((0, 31), "0 IN and 31 OUT references: too few"),
        ((31, 0, None, False), "31 IN and 0 OUT references: too few"),
        ((0, 31, 64, False), "64 references.* only 0 IN or 31 OUT"),
    ],
)
def test_too_few_references_are_refused_with_the_numbers(arguments, message):
    with pytest.raises(ValueError, match=message):
        references.allowed(*arguments)


def test_an_example_with_too_few_references_is_named():
    member = np.ones((4, 3), bool)
    member[:2, 1] = False
    priority = references.priorities(np.arange(4), 0, 3, 0)
    with pytest.raises(ValueError, match="example 1 of this slice has 2 IN references"):
        references.select(member, ~member, 3, 0, priority)
