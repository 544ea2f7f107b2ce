"""What attacks achieve and what they cost in models, training and queries (shi2024 Table 6)."""

from typing import Literal

import pandas as pd

from miatlas.exhibits.evidence import Evidence, estimate
from miatlas.exhibits.tables import common
from miatlas.leakage.levels import Level

READS = ("metrics", "costs")
SIDES = ("shadow", "reference")
NOTE = (
    "Wall time by the workflow's own benchmarks, one core a job unless it was given more. Training"
    " is that of the auxiliary models of one target; inference queries the target and them on all"
    " examples of the population and scores the target, classifiers included."
)


def tabulate(
    evidence: Evidence,
    *,
    models: dict = {},
    names: dict = {},
    audit_names: dict = {},
    level: Level = 0.01,
    over: Literal["mean", "pooled"] = "mean",
):
    """Return the numbers and the table shown, a row for each attack and audit.

    `models`: label -> {shadow: n, reference: n}, the models of either side of its audit that one
    target takes (default: none). `names`: label -> the name shown, in place of the exhibit's;
    `audit_names`: audit -> the name shown, where several have run an attack. The
    seconds of a stage are for all models of a cohort, and are divided among them: models trained in
    one block share its time. Columns of the numbers: audit, label, name, models, TPR and AUC with
    their intervals, training_seconds, inference_seconds.

    `level`: the FPR, of those evaluated, at which the TPR is shown. `over`: the mean over the
    targets, or one threshold for all of them (pooled).
    """
    numbers, shown, everything = [], [], []
    moved = common.is_transferred(evidence)
    for audit, label in evidence.pairs():
        result, taken = evidence.result(audit, label), _checked(models.get(label, {}), label)
        tprs = common.side_by_side(result, "tpr", level, over)
        auc = estimate(result, "auc", over=over)
        spent = _spent(evidence.costs, audit, label, taken, len(result["targets"]))
        name = names.get(label, evidence.names[label])
        place = {"audit": audit, "label": label, "name": name}
        measured = common.both_values("tpr", *tprs) | common.values("auc", auc)
        numbers.append({**place, "models": sum(taken.values()), **measured, **spent})
        shown.append(
            {
                **common.of_audit(evidence, audit, audit_names),
                "Attack": name,
                "Auxiliary models": str(sum(taken.values()) or common.NONE),
                **common.both_cells(common.heading(level), *tprs, moved),
                "AUC": common.number(auc),
                "Training": _time(spent["training_seconds"]),
                "Inference": _time(spent["inference_seconds"]),
            }
        )
        everything.append(tprs[0])
    shown = pd.DataFrame(shown)
    shown.attrs["notes"] = [*common.notes(evidence.metrics, over, everything, moved), NOTE]
    return pd.DataFrame(numbers), shown


def _checked(taken, label):
    for side, count in taken.items():
        if side not in SIDES or not isinstance(count, int) or count < 0:
            raise ValueError(
                f"models: {label} takes {side}: {count!r}; sides are shadow, reference"
            )
    return taken


def _spent(costs, audit, label, taken, targets):
    """Return the seconds that training and inference take for one target."""
    own = costs[(costs["audit"] == audit) & (costs["label"] == label)].set_index("stage")
    if own.empty:
        raise ValueError(f"there are no costs of {audit}/{label}")
    training = sum(n * _each(own, f"{side} training", label) for side, n in taken.items())
    queries = (1 + sum(taken.values())) * _each(own, "queries", label)
    scoring = own.loc["scoring", "seconds"] / targets
    return {"training_seconds": training, "inference_seconds": queries + scoring}


def _each(own, stage, label):
    """Return a stage's seconds for one model."""
    if stage not in own.index or not own.loc[stage, "models"]:
        raise ValueError(f"models: the audit of {label} has no models for {stage!r}")
    return float(own.loc[stage, "seconds"] / own.loc[stage, "models"])


def _time(seconds):
    if not seconds:
        return common.NONE
    return f"{seconds / 60:.1f} min" if seconds >= 120 else f"{seconds:.1f} s"
