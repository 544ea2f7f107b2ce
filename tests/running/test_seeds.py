"""Streams are named: the same name gives the same stream, and no two names share one."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from miatlas.running.seeds import rng, torch_seed

WORD = st.one_of(st.integers(0, 2**70), st.text(max_size=8))
NAME = st.tuples(st.integers(0, 2**70), st.text(max_size=8)) | st.tuples(
    st.integers(0, 2**40), st.text(max_size=8), WORD, WORD
)


@given(NAME)
def test_the_same_name_gives_the_same_stream(name):
    assert (rng(*name).random(4) == rng(*name).random(4)).all()


@given(NAME, NAME)
def test_different_names_give_different_streams(one, other):
    if one != other:
        assert (rng(*one).random(4) != rng(*other).random(4)).all()


CONFUSABLE = [
    (1, "a"), (1, "a", 0), (1, "a", 0, 0), (1, "a", "0"), (1, "a0"), (10, "a"), (1, "a", "", 0),
    (1, "", "a"), (1, "a", 1), (1, "a", 2**32), (1 + 2**32, "a"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), list(combinations(CONFUSABLE, 2)))
def test_names_that_numpy_itself_would_confuse(one, other):
    # np.random.default_rng([1, 2]) and default_rng([1, 2, 0]) are the same stream.
    assert (rng(*one).random(4) != rng(*other).random(4)).all()


def test_numbers_of_numpy_count_as_numbers():
    one, other = rng(np.int64(3), "a", np.uint8(5)), rng(3, "a", 5)
    assert (one.random(4) == other.random(4)).all()


def test_streams_of_neighbours_are_uncorrelated():
    draws = np.stack([rng(0, "order", m).random(4000) for m in range(20)])
    correlations = np.corrcoef(draws)[np.triu_indices(20, 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(4000)
    assert abs(draws.mean() - 0.5) < 5 * np.sqrt(1 / 12 / draws.size)


def test_torch_seeds_are_what_a_generator_takes():
    seeds = {torch_seed(0, "weights", m) for m in range(100)}
    assert len(seeds) == 100
    for seed in seeds:
        torch.Generator().manual_seed(seed)
