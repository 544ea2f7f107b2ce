"""What a study measured of a published value: a rate, an accuracy, an agreement, a cost, or ε."""

import math
from dataclasses import replace
from typing import NamedTuple

from miatlas.audits.attack import load
from miatlas.exhibits import accuracies
from miatlas.exhibits.evidence import Estimate, Evidence, estimate
from miatlas.exhibits.tables import agreement, attack_costs
from miatlas.exhibits.verdicts import mean
from miatlas.leakage.metrics import curves
from miatlas.leakage.roc import recall_at_precision

RECALL = "recall"
OF_RESULTS = ("tpr", "auc", "balanced_accuracy", RECALL)
OF_COHORTS = accuracies.KINDS
OF_TARGETS = (*OF_COHORTS, "epsilon")  # whatever attacks them
OF_AGREEMENT = {"agreement_train": "members", "agreement_test": "non-members"}
OF_COSTS = {
    "training_minutes": ("training_seconds", 60),
    "inference_seconds": ("inference_seconds", 1),
}
SIZES = ("targets", "models", "auxiliary_models", "training_examples", "population", "epochs")
KINDS = ("architecture", "source")
NAN = float("nan")


class Found(NamedTuple):
    """An estimate and the result it is of (None: there is none), or what is missing."""

    estimate: Estimate = Estimate(NAN, NAN, NAN)
    result: dict | None = None
    missing: str = ""


def find(evidence: Evidence, line: dict, place: dict) -> Found:
    """Return what stands for a published line; `place`: audit, label, over, as rules assign them.

    An agreement is of all the exhibit's attacks on the target cohort of the audit, at the line's
    FPR; a cost is of the models that one target takes (ye2022 Table 3, shi2024 Table 6); ε is the
    one that is claimed of the targets (shi2024 Table 8).
    """
    quantity, audit = line["quantity"], place.get("audit")
    if quantity not in (*OF_RESULTS, *OF_TARGETS, *OF_AGREEMENT, *OF_COSTS):
        return Found(missing=f"{quantity} is not what an audit measures")
    if not audit:
        return Found(missing="no audit of this study stands for it")
    label = place.get("label", line["attack"])
    try:
        if quantity in OF_AGREEMENT:
            return _agreement(evidence, audit, label, line)
        result = _result(evidence, audit, None if quantity in OF_TARGETS else label, quantity)
        return Found(_estimate(evidence, result, line, place["over"]), result)
    except ValueError as error:
        return Found(missing=str(error))


def _estimate(evidence, result, line, over):
    quantity = line["quantity"]
    if quantity in OF_COHORTS:
        return accuracies.of_cohort(evidence.scale.get(result["target_cohort"], {}), quantity)
    if quantity in OF_TARGETS:
        return _claimed(result)
    if quantity in OF_COSTS:
        return _cost(evidence, result, line)
    if quantity == RECALL:
        return _recall(evidence, result, float(line["precision"]), over)
    return estimate(result, quantity, float(line["fpr"]) if line["fpr"] else None, over)


def _recall(evidence, result, precision, over):
    """Return the recall at a precision, of the targets or of all under one threshold."""
    place = result["audit"], result["label"]
    if place not in evidence.scores:
        raise ValueError(f"there are no scores of {'/'.join(place)}")
    run = evidence.scores[place]
    arrays = (run[key] for key in ("scores", "member", "evaluated", "targets"))
    *own, pooled = (recall_at_precision(curve, precision) for _, curve in curves(*arrays))
    targets = mean(own)
    return targets if over == "mean" else replace(targets, value=pooled, low=NAN, high=NAN)


def _result(evidence, audit, label, quantity):
    """Return the result of an audit's attack, or of any of its attacks."""
    for result in evidence.metrics:
        if result["audit"] == audit and label in (None, result["label"]):
            return result
    raise ValueError(f"there is no result of {audit}/{label or quantity}")


def _claimed(result):
    """Return the ε that is claimed of the targets; inf for one without a bound."""
    if not (claim := result.get("claimed")):
        raise ValueError("no privacy is claimed of the targets")
    return Estimate(math.inf if claim["epsilon"] is None else claim["epsilon"], NAN, NAN)


def _agreement(evidence, audit, labels, line):
    """Return how often two attacks, or one and the truth, guess the same."""
    cohort = _result(evidence, audit, None, line["quantity"])["target_cohort"]
    results = [result for result in evidence.metrics if result["target_cohort"] == cohort]
    there = {(result["audit"], result["label"]) for result in results}
    scores = {place: run for place, run in evidence.scores.items() if place in there}
    names = {label: label for label in evidence.names if label in {own for _, own in there}}
    pair = {label.replace("ground_truth", agreement.TRUTH) for label in labels.split("+")}
    if not pair <= {agreement.TRUTH, *names}:
        raise ValueError(f"there is no result of {audit}/{labels}")
    numbers, _ = agreement.tabulate(Evidence(names, scores=scores), level=float(line["fpr"]))
    of_kind = numbers[numbers["kind"] == OF_AGREEMENT[line["quantity"]]]
    row = next(row for row in of_kind.itertuples() if {row.first, row.second} == pair)
    fewest = min(results, key=lambda result: len(result["targets"]))
    n = len(fewest["targets"])
    return Found(Estimate(row.rate, row.low, row.high, n=n), fewest)


def _cost(evidence, result, line):
    """Return the minutes or seconds that an attack on one target takes, by the benchmarks."""
    label, (column, unit) = result["label"], OF_COSTS[line["quantity"]]
    taken = auxiliary(evidence, result) if line["models"] else {}
    own = Evidence({label: label}, [result], costs=evidence.costs)
    numbers, _ = attack_costs.tabulate(own, models={label: taken})
    return Estimate(float(numbers[column][0]) / unit, NAN, NAN)


def scale(evidence: Evidence, result: dict, line: dict) -> dict:
    """Return what a result was measured on: SIZES and KINDS, None where they are not known."""
    known = {
        **evidence.scale.get(result["target_cohort"], {}),
        "targets": len(result["targets"]),
        "auxiliary_models": sum(auxiliary(evidence, result).values()) if line["models"] else None,
    }
    sizes = {key: known.get(key) for key in SIZES}
    sizes = {key: size if size is None else round(size) for key, size in sizes.items()}
    return sizes | {key: known.get(key) for key in KINDS}


def auxiliary(evidence: Evidence, result: dict) -> dict[str, int]:
    """Return how many models of either side, shadow and reference, an attack on a target uses."""
    same = result["target_cohort"] == result["shadow_cohort"]
    shadow = evidence.scale.get(result["shadow_cohort"], {})
    count = result["references"] or shadow.get("per_target") or result["models"] - same
    third = evidence.scale.get(result.get("reference_cohort"), {})
    if not any(name.startswith("reference_") for name in load(result["attack"]).ATTACK.read()):
        return {"shadow": count}
    there = third.get("per_target") or third.get("models") or 0
    return {"shadow": count, "reference": min(there, result["references"] or there)}
