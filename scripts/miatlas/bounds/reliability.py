"""Calibration: how often models are right against how sure they are."""

import numpy as np
import pandas as pd

from miatlas.bounds.dirichlet import log_confidences


class Reliability:
    """How often models are right against how sure they are, on members and on others.

    Fed slice by slice; the confidence is that of the class answered. Bins of equal width.
    """

    def __init__(self, models: int, bins: int = 15):
        self.sums = np.zeros((2, models, bins, 3))  # kind (OUT, IN); count, confidence, correct

    def add(self, logits, member, evaluated, labels) -> None:
        """Take in what models (M,) answer about a slice: logits (M, n, C), masks (M, n)."""
        bins = self.sums.shape[2]
        confidence = np.exp(log_confidences(logits).max(axis=-1))
        correct = logits.argmax(axis=-1) == labels
        where = np.minimum((confidence * bins).astype(int), bins - 1)
        values = np.stack([np.ones_like(confidence), confidence, correct], axis=-1)
        models = np.broadcast_to(np.arange(len(logits))[:, None], where.shape)
        index = (member.astype(int)[evaluated], models[evaluated], where[evaluated])
        np.add.at(self.sums, index, values[evaluated])

    def error(self, kind: str) -> float:
        """Return the expected calibration error, Σ_bins share |confidence - accuracy|.

        The mean over the models that have such examples; kind "in" or "out"; nan without any.
        """
        count, confidence, correct = np.moveaxis(self.sums[int(kind == "in")], -1, 0)
        there = count.sum(axis=1) > 0
        errors = np.abs(confidence - correct).sum(axis=1)[there] / count.sum(axis=1)[there]
        return float(errors.mean()) if there.any() else float("nan")

    def table(self) -> pd.DataFrame:
        """Return a row for each kind and bin, over all models: count, confidence, accuracy.

        kind is "in" or "out"; lower and upper are the bin's limits, nan where it is empty.
        """
        tables, bins = [], self.sums.shape[2]
        edges = np.linspace(0.0, 1.0, bins + 1)
        for kind, sums in zip(("out", "in"), self.sums.sum(axis=1), strict=True):
            with np.errstate(invalid="ignore"):
                confidence, accuracy = sums[:, 1:].T / sums[:, 0]
            columns = {"lower": edges[:-1], "upper": edges[1:], "count": sums[:, 0].astype(int)}
            columns |= {"confidence": confidence, "accuracy": accuracy}
            tables.append(pd.DataFrame(columns).assign(kind=kind))
        return pd.concat(tables, ignore_index=True)
