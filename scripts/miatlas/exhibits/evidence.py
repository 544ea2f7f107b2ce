"""What an exhibit is drawn from, and the numbers that figures and tables read out of it."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from miatlas.leakage.intervals import clopper_pearson

CONFIDENCE = 0.95
CURVE_COLUMNS = ["audit", "label", "target", "false_positives", "true_positives", "fpr", "tpr"]


@dataclass(frozen=True)
class Evidence:
    """The results an exhibit shows.

    names: attack label -> name shown, in the order of drawing. metrics: one result for each audit
    and label, as `miatlas.leakage.metrics.evaluate` returns it, with audit, label, attack, options,
    references (total number used, None: all), models (of the shadow cohort), examples,
    target_cohort, shadow_cohort. curves: their ROC tables, with columns CURVE_COLUMNS; target is
    "pooled" or an index. signals, for an exhibit of one cohort: phi (M, N) of the untouched
    query, member, evaluated (M, N), labels (N,), role (N,), class_names; beside, by cohort: the
    same of others.
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
    """A number with its 95 % interval (nan where there is none) and where it was read.

    realised_fpr: the false-positive rate attained (nan but for a TPR). below_resolution: the level
    asked for is below what the number of non-members resolves; value is the TPR without any false
    positive.
    """

    value: float
    low: float
    high: float
    realised_fpr: float = float("nan")
    below_resolution: bool = False


def estimate(result: dict, quantity: str, level: float | None = None, over="mean") -> Estimate:
    """Return "auc", "balanced_accuracy", "advantage" or, at an FPR `level`, "tpr" of a result.

    over="pooled": of all targets' scores under one threshold, with the interval that the metrics
    give (Clopper-Pearson for a TPR, none for the balanced accuracy). over="mean": the mean over the
    targets with Student's t interval of that mean, cut to [0, 1]. Where the targets' values do not
    differ at all, t says nothing: a TPR then has the Clopper-Pearson interval of the summed
    counts. A single target is its own pool. Raises ValueError for a level that was not evaluated.
    """
    single = over == "pooled" or len(result["targets"]) == 1
    entries = [result["pooled"]] if single else result["targets"]
    read = [_read(entry, quantity, level) for entry in entries]
    value = float(np.mean([r["value"] for r in read]))
    if single:
        low, high = read[0].get("low", np.nan), read[0].get("high", np.nan)
    else:
        low, high = _interval_of_mean(read, entries)
    fpr = float(np.mean([r.get("realised_fpr", np.nan) for r in read]))
    return Estimate(value, low, high, fpr, any(r.get("below_resolution", False) for r in read))


def _read(entry, quantity, level):
    if quantity != "tpr":
        value = entry[quantity]
        return value if isinstance(value, dict) else {"value": value}
    for row in entry["tpr_at_fpr"]:
        if np.isclose(row["level"], level, rtol=1e-9, atol=0):
            return {"value": row["tpr"], **row}
    levels = ", ".join(f"{row['level']:g}" for row in entry["tpr_at_fpr"])
    raise ValueError(f"no TPR was evaluated at the FPR {level:g}; there is: {levels}")


def _interval_of_mean(read, entries):
    values = np.array([r["value"] for r in read])
    deviation, n = values.std(ddof=1), len(values)
    if deviation == 0 and "true_positives" in read[0]:
        hits = sum(r["true_positives"] for r in read)
        return clopper_pearson(hits, sum(entry["members"] for entry in entries))
    half = stdtrit(n - 1, (1 + CONFIDENCE) / 2) * deviation / np.sqrt(n)
    return max(values.mean() - half, 0.0), min(values.mean() + half, 1.0)


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
