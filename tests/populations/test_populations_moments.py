"""Features reach the models with mean 0 and deviation 1, unless they or the study say otherwise."""

import h5py
import numpy as np
import prepare_population
import pytest
import train_models
from torch import device

from miatlas.populations.base import Population
from miatlas.populations.moments import moments
from miatlas.study.entries import population as entry
from miatlas.training import initial_weights, trainer
from miatlas.training.architectures import mlp
from miatlas.training.divergence import Diverged


def population(x, tests=0, **more):
    n = len(x)
    labels, test = np.arange(n) % 2, np.arange(n) >= n - tests
    return Population(x, labels, test, ["a", "b"], "source", **more)


def features(n=200, seed=0):
    """Return columns of an income, a binary one, a constant one, two codes, and -1 or 1."""
    rng = np.random.default_rng(seed)
    columns = [
        rng.lognormal(10, 1, n), rng.integers(0, 2, n), np.full(n, 0.1), rng.integers(1, 3, n),
        2 * rng.integers(0, 2, n) - 1,
    ]  # fmt: skip
    return np.stack(columns, 1).astype(np.float32)


@pytest.mark.parametrize("tests", [0, 50])
def test_numeric_columns_are_standardised_over_all_but_the_official_test_set(tests):
    x = features()
    mean, deviation = moments(population(x, tests), "numeric")
    part = [[float(value) for value in column] for column in x[: 200 - tests].T]
    for numeric in (0, 3, 4):
        expected = sum(part[numeric]) / len(part[numeric])
        variance = sum((value - expected) ** 2 for value in part[numeric]) / len(part[numeric])
        assert mean[numeric] == pytest.approx(expected, rel=1e-6)
        assert deviation[numeric] == pytest.approx(variance**0.5, rel=1e-6)
    assert (mean[1], deviation[1]) == (0, 1)  # zeros and ones stay as they are
    assert mean[2] == pytest.approx(0.1)
    assert deviation[2] == 1  # not the rounding of a constant


def test_moments_are_those_of_scaled_features():
    x = features()[:, [0, 4]]
    for found, expected in zip(
        moments(population(x, scale=16.0), "numeric"), moments(population(x), "numeric"),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_allclose(found * 16, expected, rtol=1e-5)


def test_all_takes_binary_columns_too_and_none_takes_nothing():
    x = features()
    mean, deviation = moments(population(x), "all")
    assert mean[1] == pytest.approx(x[:, 1].mean())
    assert deviation[1] == pytest.approx(x[:, 1].std())
    assert [each.tolist() for each in moments(population(x), "none")] == [[0], [1]]


def test_a_binary_column_in_training_alone_is_numeric():
    """Told by the whole population: what the test set alone has is a value, too."""
    x = features()
    x[-1, 1] = 7
    mean, _ = moments(population(x, tests=50), "numeric")
    assert mean[1] == pytest.approx(x[:150, 1].mean())


def test_tokens_are_no_quantities():
    x = np.arange(20, dtype=np.float32).reshape(4, 5)
    assert [each.tolist() for each in moments(population(x, tokens=True), "all")] == [[0], [1]]


@pytest.mark.parametrize("how", ["numeric", "all"])
def test_images_are_standardised_by_channel_over_all(how):
    x = np.random.default_rng(0).integers(0, 256, (30, 3, 4, 4)).astype(np.uint8)
    mean, deviation = moments(population(x, 10, scale=255.0), how)
    np.testing.assert_allclose(mean, (x / 255).mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(deviation, (x / 255).std((0, 2, 3)), rtol=1e-6)


def prepared(tmp_path, **more):
    """Return what the models see of 400 examples: six columns, one of them an income."""
    rng = np.random.default_rng(0)
    labels, x = rng.integers(0, 2, 400), rng.normal(size=(400, 6))
    x[:, 0] += 2.5 * labels
    x[:, 5] = rng.lognormal(10, 1, 400)
    np.savez(tmp_path / "mine.npz", x=x, labels=labels)
    given = entry({"source": "npz", "path": "mine.npz", **more}, "populations.mine")
    settings = {**given, "name": "mine", "seed": 0, "data_root": str(tmp_path)}
    prepare_population.main(population=str(tmp_path / "mine.h5"), settings=settings)
    with h5py.File(tmp_path / "roles.h5", "w") as file:
        file["role"] = np.zeros(400, np.uint8)
    return train_models.load(tmp_path / "mine.h5", tmp_path / "roles.h5", device("cpu"))


def test_a_column_of_large_numbers_does_not_keep_a_network_from_learning(tmp_path):
    """A perceptron is at chance on such features as they are, and learns on standardised ones."""
    accuracy = {}
    recipe = {
        "epochs": 30, "batch_size": 16, "augmentation": {"name": "none"}, "ema": None,
        "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}, "gradient_clip": None,
        "schedule": {"name": "cosine"}, "label_smoothing": 0.0, "early_stopping": None,
        "precision": "float32", "privacy": None,
    }  # fmt: skip
    for how in ("numeric", "none"):
        data, shape, classes = prepared(tmp_path, standardise=how)
        settings = {"recipe": {"architecture": {"name": "mlp", "widths": [16]}}}
        make = initial_weights.maker(mlp, data, shape, classes, settings)
        model = train_models.Model(0, np.arange(200), 1, 2, 3)
        try:
            _, rows = trainer.train(make, recipe, data, [model], 200, 1, lambda *_: None)
            accuracy[how] = rows[-1]["test_accuracy"]
        except Diverged:
            accuracy[how] = 0.5
    assert accuracy["numeric"] > 0.8 > 0.65 > accuracy["none"]


@pytest.mark.parametrize("scale", [255.0, 1.0])
def test_moments_of_bytes_are_those_of_their_pixels(scale):
    x = np.random.default_rng(1).integers(0, 256, (1500, 3, 5, 4)).astype(np.uint8)
    x[:, 1] //= 3
    found = moments(population(x, scale=scale), "all")
    scaled = x.astype(np.float64) / scale
    np.testing.assert_allclose(found, [scaled.mean((0, 2, 3)), scaled.std((0, 2, 3))], rtol=1e-6)
    exact = moments(population((x / np.float32(scale)).astype(np.float32), scale=1.0), "all")
    np.testing.assert_allclose(found, exact, rtol=1e-12)
