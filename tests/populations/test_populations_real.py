"""The published sets themselves, where MIATLAS_DATA_ROOT names a folder that holds them."""

import importlib
import os

import numpy as np
import pytest

from miatlas.populations import catalogue, source_files

ROOT = os.environ.get("MIATLAS_DATA_ROOT")
SETS = [
    # source, shape, dtype, official test examples, examples of the first classes
    ("cifar10", (60_000, 3, 32, 32), np.uint8, 10_000, [6_000] * 10),
    ("cifar100", (60_000, 3, 32, 32), np.uint8, 10_000, [600] * 100),
    ("mnist", (70_000, 1, 28, 28), np.uint8, 10_000, [6_903, 7_877, 6_990, 7_141]),
    ("fashion_mnist", (70_000, 1, 28, 28), np.uint8, 10_000, [7_000] * 10),
    ("adult", (48_842, 108), np.float32, 16_281, [37_155, 11_687]),
    ("german_credit", (1_000, 61), np.float32, 0, [700, 300]),
    ("location30", (5_010, 446), np.float32, 0, [169, 178, 147]),
    ("purchase100", (197_324, 600), np.float32, 0, []),
    ("wikitext2", (25_517, 100), np.float32, 2_455, [25_517]),
    ("wikitext103", (1_036_901, 100), np.float32, 2_455, [1_036_901]),
]


@pytest.mark.skipif(not ROOT, reason="MIATLAS_DATA_ROOT is not set")
@pytest.mark.parametrize(("source", "shape", "dtype", "tests", "counts"), SETS)
def test_a_published_set_has_its_published_size(source, shape, dtype, tests, counts):
    missing = source_files.missing_files(source, {"download": False}, ROOT)
    if missing:
        pytest.skip(missing[0])
    population = importlib.import_module(f"miatlas.populations.{source}").load(ROOT)
    assert population.x.shape == shape
    assert population.x.dtype == dtype
    assert population.test.sum() == tests
    assert not population.test[: len(population) - tests].any()
    assert np.bincount(population.labels)[: len(counts)].tolist() == counts
    assert len(population.class_names) == catalogue.SOURCES[source].classes


@pytest.mark.skipif(not ROOT, reason="MIATLAS_DATA_ROOT is not set")
def test_adult_without_unknown_values_has_the_documented_45222_rows():
    if source_files.missing_files("adult", {}, ROOT):
        pytest.skip("adult is not there")
    from miatlas.populations import adult

    population = adult.load(ROOT, missing="drop")
    assert (len(population), population.test.sum()) == (45_222, 15_060)


@pytest.mark.skipif(not ROOT, reason="MIATLAS_DATA_ROOT is not set")
def test_wikitext2_has_the_33278_words_of_merity_2016():
    if source_files.missing_files("wikitext2", {}, ROOT):
        pytest.skip("wikitext2 is not there")
    from miatlas.populations import wikitext2

    words = wikitext2.load(ROOT, length=1, vocabulary=2**24).x
    assert np.array_equal(np.unique(words), np.arange(1, 33_279))
