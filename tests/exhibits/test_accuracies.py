"""Means over models of shares, such as accuracies: intervals that cover, and lie in [0, 1].

The truth is the mean of the law that models' accuracies are drawn from, and an accuracy of 100 %
with another of 99.7 % tells of few errors, not of 100.5 %.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from miatlas.exhibits import accuracies
from miatlas.exhibits.verdicts import mean

SHARES = st.lists(st.floats(0, 1), min_size=2, max_size=12)


def drawn(truth, spread, examples, models, repeats, seed=0):
    """Draw accuracies (repeats, models): of each model's own rate, a beta law's, on its examples.

    spread: the deviation of the rates as a share of the largest there is, sqrt(p (1 - p)).
    """
    rng = np.random.default_rng([seed, models])
    size = 1 / spread**2 - 1 if spread else None
    rates = rng.beta(truth * size, (1 - truth) * size, (repeats, models)) if spread else truth
    return rng.binomial(examples, rates, (repeats, models)) / examples


@pytest.mark.parametrize("models", [2, 3, 5, 10])
@pytest.mark.parametrize("examples", [200, 2000])
@pytest.mark.parametrize(("truth", "spread"), [
    (0.999, 0.0), (0.999, 0.02), (0.99, 0.0), (0.99, 0.07), (0.95, 0.07), (0.95, 0.2), (0.8, 0.2),
    (0.5, 0.2), (0.05, 0.1), (0.001, 0.02),
])  # fmt: skip
def test_the_interval_of_a_mean_accuracy_covers(truth, spread, examples, models):
    repeats = 1500
    found = [mean(row) for row in drawn(truth, spread, examples, models, repeats)]
    known = [one for one in found if not math.isnan(one.low)]
    assert all(0 <= one.low <= one.value <= one.high <= 1 for one in known)
    held = np.mean([one.low <= truth <= one.high for one in known])
    assert held > 0.93 - 2 * math.sqrt(0.93 * 0.07 / max(len(known), 1))


def test_students_alone_would_not_cover_near_1_and_pass_it():
    """What the skewed interval is for: there, Student's holds 9 of 10 and ends beyond 100 %."""
    rows = drawn(0.99, 0.07, 1000, 3, 4000)
    middle, error = rows.mean(1), rows.std(1, ddof=1) / np.sqrt(3)
    low, high = middle - stats.t.ppf(0.975, 2) * error, middle + stats.t.ppf(0.975, 2) * error
    assert ((low <= 0.99) & (high >= 0.99)).mean() < 0.93
    assert (high > 1).mean() > 0.5


@given(SHARES)
def test_it_holds_students_interval_and_is_mirrored(shares):
    found, other = mean(shares), mean([1 - share for share in shares])
    if np.std(shares) < 1e-9:
        return
    reach = stats.t.ppf(0.975, len(shares) - 1) * stats.sem(shares)
    assert found.low <= max(found.value - reach, 0) + 1e-12
    assert found.high >= min(found.value + reach, 1) - 1e-12
    assert (1 - other.high, 1 - other.low) == pytest.approx((found.low, found.high), abs=1e-6)
    assert 0 <= found.low <= found.high <= 1


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=12))
def test_a_difference_of_shares_has_students_interval_cut_at_1(gaps):
    found = mean(gaps, least=-1.0)
    if np.std(gaps) < 1e-9:
        return
    reach = stats.t.ppf(0.975, len(gaps) - 1) * stats.sem(gaps)
    expected = max(np.mean(gaps) - reach, -1), min(np.mean(gaps) + reach, 1)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("values", [[0.9], [1.0, 1.0, 1.0], [0.1] * 10, [0.0, 0.0]])
@pytest.mark.parametrize("least", [0.0, -1.0])
def test_one_model_and_models_that_do_not_differ_have_none(values, least):
    found = mean(values, least)
    assert found.value == pytest.approx(values[0])
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.n == len(values)


def test_accuracies_are_shares_and_their_gap_is_a_difference():
    train, test = [1.0, 1.0, 0.99], [0.8, 0.99, 1.0]
    scale = {"train_accuracy": train, "test_accuracy": test}
    found = {quantity: accuracies.of_cohort(scale, quantity) for quantity in accuracies.KINDS}
    assert found["train_accuracy"] == mean(train)
    assert found["test_accuracy"] == mean(test)
    gap = found["accuracy_gap"]
    own = np.subtract(train, test)
    reach = stats.t.ppf(0.975, 2) * stats.sem(own)
    assert (gap.low, gap.high) == pytest.approx((own.mean() - reach, own.mean() + reach))
    assert gap.low < 0
    with pytest.raises(ValueError, match="no accuracies are recorded"):
        accuracies.of_cohort({"train_accuracy": train}, "accuracy_gap")
