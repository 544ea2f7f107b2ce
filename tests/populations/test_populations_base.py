"""Populations themselves: checks, digests, stratified subsets, canaries."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miatlas.populations.base import Population, digest, subset, take
from miatlas.populations.canaries import insert_canaries


def images(n=60, classes=5, tests=20, scale=255.0, seed=0) -> Population:
    """Return n random images (n, 1, 3, 3), the last `tests` of them the official test set."""
    generator = np.random.default_rng(seed)
    return Population(
        x=generator.integers(0, int(scale) + 1, (n, 1, 3, 3), dtype=np.uint8),
        labels=generator.integers(0, classes, n),
        test=np.arange(n) >= n - tests,
        class_names=[f"class {c}" for c in range(classes)],
        source="made for a test",
        scale=scale,
    )


def table(n=300) -> Population:
    """Return n rows: one numeric column that no two rows share, one one-hot column of width 3."""
    x = np.zeros((n, 4), np.float32)
    x[:, 0] = np.arange(n)
    x[np.arange(n), 1 + np.arange(n) % 3] = 1
    columns = [{"name": "a", "first": 0, "width": 1}, {"name": "b", "first": 1, "width": 3}]
    return Population(
        x=x,
        labels=np.arange(n) % 2,
        test=np.zeros(n, bool),
        class_names=["no", "yes"],
        source="made for a test",
        encoding={"columns": columns},
    )


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": np.zeros(59, np.int64)}, "labels is int64"),
        ({"labels": np.zeros(60, np.int32)}, "labels is int32"),
        ({"labels": np.full(60, 5)}, "there are 5 classes"),
        ({"labels": np.full(60, -1)}, "there are 5 classes"),
        ({"test": np.zeros(60, np.int64)}, "test is int64"),
        ({"canary": np.zeros(61, bool)}, "canary is bool"),
        ({"x": np.zeros((60, 9), np.uint8)}, "x is uint8"),
        ({"x": np.zeros((60, 9), np.float64)}, "x is float64"),
        ({"x": np.zeros((60, 3, 3), np.uint8)}, "x is uint8"),
        ({"x": np.full((60, 9), np.nan, np.float32)}, "not finite"),
        ({"x": np.full((60, 1, 3, 3), np.inf, np.float32)}, "not finite"),
        ({"x": np.zeros((0, 9), np.float32)}, "x is float32"),
        ({"scale": 0.0}, "scale is 0.0"),
        ({"scale": np.nan}, "scale is nan"),
    ],
)
def test_a_population_that_does_not_fit_together_is_refused(change, words):
    with pytest.raises(ValueError, match="made for a test") as caught:
        replace(images(), **change)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_largest_finite_values_are_accepted():
    x = np.full((60, 9), np.finfo(np.float32).max)
    assert len(replace(images(), x=x)) == 60


def test_canaries_are_none_by_default():
    assert not images().canary.any()
    assert images().canary.shape == (60,)


def test_digest_is_the_hash_of_the_three_arrays():
    population = images()
    text = hashlib.sha256()
    for name, array in (
        ("uint8(60, 1, 3, 3)", population.x),
        ("int64(60,)", population.labels),
        ("bool(60,)", population.test),
    ):
        text.update(name.encode() + array.tobytes())
    assert digest(population) == text.hexdigest()


def test_digest_sees_one_pixel_one_label_one_test_flag_and_the_shape():
    population = images()
    seen = {digest(population), digest(take(population, np.arange(60)[::-1]))}
    for name in ("x", "labels", "test"):
        array = getattr(population, name).copy()
        array.flat[7] = not array.flat[7] if name == "test" else (array.flat[7] + 1) % 5
        seen.add(digest(replace(population, **{name: array})))
    seen.add(digest(replace(population, x=population.x.reshape(60, 1, 1, 9))))
    assert len(seen) == 6


def test_digest_ignores_memory_order_and_descriptions():
    population = images()
    other = replace(population, x=np.asfortranarray(population.x), source="elsewhere")
    assert digest(other) == digest(population)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000), n=st.integers(1, 97), classes=st.integers(1, 6), t=st.integers(0, 97)
)
def test_subset_shares_examples_as_proportions_say(seed, n, classes, t):
    whole = replace(images(97, classes, t, seed=seed), x=np.zeros((97, 1), np.float32))
    whole = replace(whole, x=np.arange(97, dtype=np.float32)[:, None])
    part = subset(whole, n, rng(seed))
    kept = part.x[:, 0].astype(int)
    assert len(part) == n
    assert (np.diff(kept) > 0).all()  # each once, in the original order
    np.testing.assert_array_equal(part.labels, whole.labels[kept])
    np.testing.assert_array_equal(part.test, whole.test[kept])
    for flag in (False, True):
        assert abs((part.test == flag).sum() - n * (whole.test == flag).mean()) < 1
        in_part = (part.test == flag).sum()
        for label in range(classes):
            among = whole.labels[whole.test == flag]
            due = in_part * (among == label).mean() if len(among) else 0
            assert abs(((part.labels == label) & (part.test == flag)).sum() - due) < 1


def test_subset_of_all_is_the_population_and_exact_shares_are_exact():
    whole = images(60)
    assert digest(subset(whole, 60, rng())) == digest(whole)
    even = replace(whole, labels=np.arange(60) % 5)
    counts = np.bincount(subset(even, 30, rng()).labels, minlength=5)
    np.testing.assert_array_equal(counts, 6)


def test_subset_is_seeded_and_every_example_has_its_chance():
    whole = images(40, 2, 10)
    ids = replace(whole, x=np.arange(40, dtype=np.float32)[:, None])
    draws = np.stack([subset(ids, 20, rng(seed)).x[:, 0] for seed in range(400)]).astype(int)
    np.testing.assert_array_equal(draws[3], subset(ids, 20, rng(3)).x[:, 0])
    share = np.bincount(draws.ravel(), minlength=40) / 400
    # Each is kept in about half of the draws (strata of odd size move it a little).
    assert np.all(np.abs(share - 0.5) < 0.15)


@pytest.mark.parametrize("n", [0, -1, 61])
def test_a_subset_of_impossible_size_is_refused(n):
    with pytest.raises(ValueError, match=f"subset of {n} .* there are 60"):
        subset(images(60), n, rng())


def test_mislabelled_canaries_come_from_the_test_set_with_wrong_labels():
    before = images()
    after = insert_canaries(before, 8, "mislabelled", rng())
    assert after.canary.sum() == 8
    assert before.test[after.canary].all()
    assert not after.test[after.canary].any()
    assert (after.labels[after.canary] != before.labels[after.canary]).all()
    np.testing.assert_array_equal(after.labels[~after.canary], before.labels[~after.canary])
    np.testing.assert_array_equal(after.test[~after.canary], before.test[~after.canary])
    np.testing.assert_array_equal(after.x, before.x)
    assert not before.canary.any()  # the original is untouched
    assert after.source == "made for a test + 8 canaries (mislabelled)"


def test_every_wrong_label_is_equally_likely():
    before = replace(images(4000, 5, 4000), labels=np.full(4000, 3))
    after = insert_canaries(before, 4000, "mislabelled", rng())
    counts = np.bincount(after.labels, minlength=5)
    assert counts[3] == 0
    others = counts[[0, 1, 2, 4]]
    assert np.sum((others - 1000) ** 2 / 1000) < 16.3  # chi-square, 3 degrees, p = 0.001


def test_without_a_test_set_the_rest_is_mislabelled_and_never_twice():
    before = images(20, tests=0)
    once = insert_canaries(before, 12, "mislabelled", rng(1))
    twice = insert_canaries(once, 8, "mislabelled", rng(2))
    assert twice.canary.all()
    assert (twice.labels != before.labels).all()
    with pytest.raises(ValueError, match="0 examples can be relabelled"):
        insert_canaries(twice, 1, "mislabelled", rng(3))


def test_noise_pixels_are_uniform_up_to_the_scale():
    before = images(60, scale=16.0)
    after = insert_canaries(before, 2000, "noise", rng())
    assert len(after) == 2060
    assert after.x.dtype == np.uint8
    np.testing.assert_array_equal(after.canary, np.arange(2060) >= 60)
    assert not after.test[60:].any()
    np.testing.assert_array_equal(after.x[:60], before.x)
    counts = np.bincount(after.x[60:].ravel(), minlength=17)
    assert len(counts) == 17  # 0 to 16, nothing else
    expected = 2000 * 9 / 17
    assert np.sum((counts - expected) ** 2 / expected) < 39.3  # chi-square, 16 degrees, p = 0.001
    assert set(after.labels[60:]) == set(range(5))


def test_noise_in_a_table_resamples_columns_one_by_one_and_keeps_one_hot_whole():
    after = insert_canaries(table(), 500, "noise", rng())
    made = after.x[300:]
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made[:, 1:].sum(axis=1), 1)
    assert set(made[:, 0]) <= set(range(300))
    # Rows of the table tie column a to column b; noise must not.
    agrees = made[:, 1:].argmax(axis=1) == made[:, 0] % 3
    assert 0.2 < agrees.mean() < 0.47


def test_noise_in_binary_features_has_their_frequencies():
    generator = rng()
    x = (generator.random((5000, 2)) < [0.1, 0.8]).astype(np.float32)
    before = replace(table(5000), x=x, encoding={})
    made = insert_canaries(before, 5000, "noise", generator).x[5000:]
    np.testing.assert_allclose(made.mean(axis=0), x.mean(axis=0), atol=0.03)


def test_noise_in_float_images_spans_their_range():
    x = rng().uniform(-2, 3, (60, 1, 3, 3)).astype(np.float32)
    made = insert_canaries(replace(images(), x=x), 500, "noise", rng()).x[60:]
    assert made.dtype == np.float32
    assert x.min() <= made.min() < -1.9
    assert 2.9 < made.max() <= x.max()


def test_examples_of_another_population_are_appended_with_their_labels():
    before, other = images(), images(30, seed=9)
    after = insert_canaries(before, 30, "other", rng(), other)
    order = [int(np.flatnonzero((other.x == x).all(axis=(1, 2, 3)))[0]) for x in after.x[60:]]
    assert sorted(order) == list(range(30))  # each of them once
    np.testing.assert_array_equal(after.labels[60:], other.labels[order])
    np.testing.assert_array_equal(after.canary, np.arange(90) >= 60)
    assert not after.test[60:].any()


def test_another_populations_labels_can_be_replaced():
    before, other = images(classes=2), images(50, classes=40, seed=9)
    after = insert_canaries(before, 50, "other_relabelled", rng(), other)
    assert set(after.labels[60:]) == {0, 1}


def test_canaries_are_seeded():
    for kind in ("mislabelled", "noise", "other"):
        made = [insert_canaries(images(), 5, kind, rng(s), images(30, seed=9)) for s in (1, 1, 2)]
        assert digest(made[0]) == digest(made[1]) != digest(made[2])


@pytest.mark.parametrize(
    ("count", "kind", "other", "words"),
    [
        (0, "noise", None, "0 canaries"),
        (21, "mislabelled", None, "20 examples can be relabelled"),
        (5, "other", None, "need a second population"),
        (5, "other", table(), "examples are"),
        (5, "other", images(classes=6), "classes differ"),
        (5, "other", images(scale=16.0), "scale 16.0, not 255.0"),
        (61, "other", images(), "there are 60"),
        (5, "outlier", None, "unknown kind 'outlier'"),
    ],
)
def test_impossible_canaries_are_refused(count, kind, other, words):
    with pytest.raises(ValueError, match=words):
        insert_canaries(images(), count, kind, rng(), other)
