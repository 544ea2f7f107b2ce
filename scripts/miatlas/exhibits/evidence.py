"""What an exhibit is drawn from, and the numbers that figures and tables read out of it."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from miatlas.leakage.levels import FEW

CONFIDENCE = 0.95
CANARIES = ", on canaries"  # added to the label and the name of what is measured on them
NAN = float("nan")
CURVE_COLUMNS = ["audit", "label", "target", "false_positives", "true_positives", "fpr", "tpr"]


@dataclass(frozen=True)
class Evidence:
    """The results an exhibit shows.

    names: attack label -> name shown, in the order of drawing. metrics: one result for each audit
    and label, as `miatlas.leakage.metrics.evaluate` returns it, with audit, label, attack, options,
    references (total number used, None: all), models (of the shadow cohort), examples,
    target_cohort, shadow_cohort. curves: their ROC tables, with columns CURVE_COLUMNS; target is
    "pooled" or an index. signals, for an exhibit of one cohort: phi (M, N) of the untouched
    query, member, evaluated (M, N), labels (N,), role (N,), canary (N,), class_names; beside, by
    cohort: the same of others.
    scores, by (audit, label): scores, member, evaluated (T, N) and targets (T,), as they are filed.
    costs: a row per audit, label and stage (target, shadow or reference training, queries, scoring)
    with models, seconds, max_rss_mb. bounds: cohort -> a row an example. published: the values of
    one paper, as text. scale: cohort -> models, training_examples, population (how many examples),
    epochs, architecture, source, per_target, queries, train_accuracy, test_accuracy (M,).
    """

    names: dict[str, str]
    metrics: list[dict] = field(default_factory=list)
    curves: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CURVE_COLUMNS))
    signals: dict | None = None
    beside: dict[str, dict] = field(default_factory=dict)
    scores: dict[tuple[str, str], dict] = field(default_factory=dict)
    costs: pd.DataFrame = field(default_factory=pd.DataFrame)
    bounds: dict[str, pd.DataFrame] = field(default_factory=dict)
    published: pd.DataFrame = field(default_factory=pd.DataFrame)
    scale: dict[str, dict] = field(default_factory=dict)

    def audits(self) -> list[str]:
        """Return the audits, in the order of their results."""
        return list(dict.fromkeys(result["audit"] for result in self.metrics))

    def pairs(self) -> list[tuple[str, str]]:
        """Return every (audit, label) with a result: by audit, then in the order of `names`.

        Raises ValueError if there is none: a figure without a curve is a mistake of the study.
        """
        there = {(result["audit"], result["label"]) for result in self.metrics}
        pairs = [(a, label) for a in self.audits() for label in self.names if (a, label) in there]
        if not pairs:
            raise ValueError(f"no results to show for the attacks {', '.join(self.names) or '-'}")
        return pairs

    def beside_canaries(self) -> "Evidence":
        """Return the same with each attack's results on canaries, as results of its own."""
        measured = [one for one in self.metrics if one.get("canaries")]
        own = [one | one["canaries"] | {"label": one["label"] + CANARIES} for one in measured]
        labels = {one["label"] for one in own}
        names = {}
        for label, name in self.names.items():
            names[label] = name
            if label + CANARIES in labels:
                names[label + CANARIES] = name + CANARIES
        return replace(self, names=names, metrics=[*self.metrics, *own])

    def result(self, audit: str, label: str) -> dict:
        """Return the result of an audit's attack. Raises ValueError if it is not there."""
        for result in self.metrics:
            if (result["audit"], result["label"]) == (audit, label):
                return result
        there = ", ".join(f"{r['audit']}/{r['label']}" for r in self.metrics) or "nothing"
        raise ValueError(f"there is no result of {audit}/{label}; there is: {there}")

    def curve(self, audit: str, label: str, target: str = "pooled") -> pd.DataFrame:
        """Return one ROC curve: its attained points in ascending order."""
        own = (self.curves["audit"] == audit) & (self.curves["label"] == label)
        points = self.curves[own & (self.curves["target"].astype(str) == target)]
        if points.empty:
            raise ValueError(f"there is no ROC curve of {audit}/{label}, target {target}")
        return points.sort_values(["false_positives", "true_positives"], ignore_index=True)


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % intervals (nan where there is none) and where it was read.

    low, high: for this population, of examples and of models; examples_low, examples_high: for
    these examples, other models trained on them. realised_fpr: the false-positive rate attained
    (nan but for a TPR). below_resolution: the level asked for is below what the number of
    non-members resolves; value is the TPR without any false positive. few: the level allows fewer
    than ten false positives, at which the best threshold in hindsight flatters. std: the deviation
    over n targets or models (nan for one, or where it is not known; n is 0 where nothing is said).
    """

    value: float
    low: float
    high: float
    realised_fpr: float = NAN
    below_resolution: bool = False
    examples_low: float = NAN
    examples_high: float = NAN
    few: bool = False
    std: float = NAN
    n: int = 0


def estimate(
    result: dict, quantity: str, level: float | None = None, over="mean", threshold="hindsight"
) -> Estimate:
    """Return "auc", "balanced_accuracy", "advantage" or, at an FPR `level`, "tpr" of a result.

    over="mean": the mean over the targets; over="pooled": of all targets' scores under one
    threshold. A single target is its own pool. threshold="transferred": at the thresholds of
    other models, always the mean; all nan where there are none. The intervals are those that the
    metrics give (`miatlas.leakage`). Raises ValueError for a level that was not evaluated.
    """
    if threshold == "transferred":
        return _transferred(result["mean"]["transferred"], quantity, level)
    if over == "pooled" or len(result["targets"]) == 1:
        return _pooled(result, quantity, level)
    if quantity == "tpr":
        row = _at_level(result["mean"]["tpr_at_fpr"], level)
        return _of_mean(row["tpr"], row["realised_fpr"]["mean"], **_flags(row))
    return _of_mean(result["mean"][quantity])


def _pooled(result, quantity, level):
    """Return an estimate of all targets as one; their number and deviation are the targets'."""
    entry, mean = result["pooled"], result["mean"]
    if quantity == "tpr":
        row = _at_level(entry["tpr_at_fpr"], level)
        runs = _runs(_at_level(mean["tpr_at_fpr"], level)["tpr"])
        limits = row["low"], row["high"], row["realised_fpr"]
        return Estimate(row["tpr"], *limits, **_flags(row), **runs)
    own = entry.get(f"{quantity}_interval") or entry[quantity]
    value = entry[quantity]
    value = value["value"] if isinstance(value, dict) else value
    return Estimate(value, own["low"], own["high"], **_runs(mean[quantity]))


def _runs(entry):
    return {"std": NAN if entry["std"] is None else entry["std"], "n": entry["n"]}


def _transferred(mean, quantity, level):
    if mean is None:
        return Estimate(NAN, NAN, NAN)
    if quantity != "tpr":
        return _of_mean(mean["best"][quantity])
    row = _at_level(mean["rates"], level)
    return _of_mean(row["tpr"], row["realised_fpr"]["mean"])


def _of_mean(entry, fpr=NAN, **flags):
    limits = {"low": NAN, "high": NAN}
    population, examples = (
        entry[key] or limits for key in ("this_population", "these_examples")
    )  # None where no interval holds what it says
    examples = {f"examples_{key}": value for key, value in examples.items()}
    flags |= {"realised_fpr": fpr, **_runs(entry)}
    return Estimate(entry["mean"], **population, **examples, **flags)


def _flags(row):
    return {"below_resolution": row["below_resolution"], "few": row["allowed"] < FEW}


def _at_level(rows, level):
    for row in rows:
        if np.isclose(row["level"], level, rtol=1e-9, atol=0):
            return row
    levels = ", ".join(f"{row['level']:g}" for row in rows)
    raise ValueError(f"no TPR was evaluated at the FPR {level:g}; there is: {levels}")


def references_used(result: dict) -> int:
    """Return how many reference models an attack used, half of them IN and half OUT.

    "All" leaves out the target itself, and the odd one that balancing IN and OUT drops.
    """
    if result["references"] is not None:
        return result["references"]
    same = result["target_cohort"] == result["shadow_cohort"]
    return (result["models"] - same) // 2 * 2


def percent(rate: float) -> str:
    """Return a rate as a percentage without superfluous digits: 0.001 -> "0.1 %"."""
    return f"{100 * rate:g} %"
