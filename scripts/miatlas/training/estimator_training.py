"""Estimators that the workflow fits: a block of them, several at once."""

import numpy as np

from miatlas.training import estimators
from miatlas.training.accuracy import measured
from miatlas.training.batches import Data, Model


def train(unfitted, data: Data, models: list[Model], classes: int, jobs: int):
    """Return the block's estimators as weights, and their history: a row a model."""
    x, labels = data.x.cpu().numpy(), data.labels.cpu().numpy()
    flat = x.reshape(len(x), -1)
    members = [model.examples for model in models]
    fitted = estimators.fitted(
        unfitted, flat, labels, members, [model.weights_seed for model in models], jobs
    )
    group = estimators.Estimators(fitted, classes)
    test = np.zeros(len(x), bool)
    test[data.test.cpu().numpy()] = True
    answers = group.probabilities(x)
    rows = [_row(m, p, labels, test) for m, p in zip(models, answers, strict=True)]
    return group.weights(), rows


def _row(model, p, labels, test):
    member = np.zeros(len(labels), bool)
    member[model.examples] = True
    logits = np.log(np.clip(p, 1e-6, None))
    found = measured(logits, labels, member, test if test.any() else ~member)
    return {"model": model.number, "epoch": 1, "loss": found["train_loss"],
            "accuracy": found["train_accuracy"], **found}  # fmt: skip
