"""The reproduction ledger: every published value beside the measured one, with a verdict.

Verdicts: `agrees` where the published value, within its rounding, lies in the measured 95 %
interval or the measured value lies in the published spread; `differs` where neither does; `not
comparable at this scale` where a fact (training examples, architecture, data, number of auxiliary
models, an FPR below the resolution) or the study file says what is different, whatever the numbers
are; `not measured` where nothing stands for the value. The numbers are shown in all cases.
"""

from collections import Counter
from typing import Literal

import pandas as pd

from miatlas import published as values
from miatlas.exhibits import Estimate, Evidence, estimate
from miatlas.published import UNITS
from miatlas.reading import reads
from miatlas.tables import common
from miatlas.verdicts import NOT_MEASURED, VERDICTS, differences, mean, verdict

READS = ("metrics", "published", "scale")
OF_RESULTS = ("tpr", "auc", "balanced_accuracy")
OF_COHORTS = ("train_accuracy", "test_accuracy", "accuracy_gap")
MARKS = "uses"  # of what an attack uses: no measurement; `attacks_compared` shows them
SPREAD = "Behind ±: the spread that the paper prints."
RULE = (
    "Agrees: the published value, within its rounding, lies in the measured 95 % interval, or the"
    " measured value in the published spread; a wide interval agrees easily."
)
SIZES = ("targets", "models", "auxiliary_models", "training_examples", "epochs")
KINDS = ("architecture", "source")
NONE = Estimate(float("nan"), float("nan"), float("nan"))


def tabulate(
    evidence: Evidence,
    *,
    published: str,
    tables: list[str] = [],
    rows: list[dict] = [],
    over: Literal["mean", "pooled"] = "mean",
):
    """Return the numbers and the table shown, a row for each value of the paper `published`.

    `tables`: those of its tables (default: all). `rows`: which audit and attack stand for which
    values, as `published.assign` reads them; the attack's label is the published attack's unless a
    rule says otherwise. `over` as in `exhibits.estimate`. The numbers are in the unit of the paper.
    """
    lines = values.select(evidence.published, published, tables)
    lines = [line for line in lines if line["quantity"] != MARKS]
    places = values.assign(lines, _checked(rows, evidence))
    entries = [
        _entry(evidence, line, {"over": over, **place})
        for line, place in zip(lines, places, strict=True)
    ]
    shown = pd.DataFrame([cells for _, cells in entries])
    numbers = pd.DataFrame([numbers for numbers, _ in entries])
    numbers = numbers.astype({size: "Int64" for size in SIZES if len(numbers)})
    shown.attrs["notes"] = _notes(numbers)
    return numbers, shown


def _checked(rules, evidence):
    """Refuse audits and labels that the exhibit does not have, unless a value names them."""
    there = {"audit": evidence.audits(), "label": list(evidence.names), "over": ["mean", "pooled"]}
    for rule in rules:
        for key, known in there.items():
            if key in rule and rule[key] not in known and "{" not in rule[key]:
                raise ValueError(f"rows: {key} {rule[key]!r} is not of this exhibit: {known}")
    return rules


def _entry(evidence, line, place):
    """Return the numbers and the cells of one published value."""
    found, result, why = _measured(evidence, line, place)
    printed, factor = values.printed(line), UNITS[line["unit"]]
    judged, direction, scale = NOT_MEASURED, "", dict.fromkeys((*SIZES, *KINDS))
    if result is not None:
        scale = _scale(evidence, result, line)
        why = differences(line, scale, scale["auxiliary_models"], found)
        why += [place["reason"]] if place.get("reason") else []
        judged, direction = verdict(printed, found, why)
    measured = {"measured": found.value, "low": found.low, "high": found.high}
    numbers = {
        **{key: line[key] for key in ("table", "row", "column", "quantity", "fpr", "unit")},
        "published": printed.value / factor,
        "spread": printed.spread / factor,
        "audit": place.get("audit", ""),
        "label": place.get("label", line["attack"]),
        **{key: value / factor for key, value in measured.items()},
        "difference": (found.value - printed.value) / factor,
        **scale,
        "verdict": judged,
        "direction": direction,
        "reason": "; ".join(why),
        "note": line["note"],
    }
    return numbers, _cells(line, numbers, found, result, scale)


def _measured(evidence, line, place):
    """Return (estimate, its result, []), or (nothing, None, [why])."""
    quantity, audit = line["quantity"], place.get("audit")
    if quantity not in (*OF_RESULTS, *OF_COHORTS):
        return NONE, None, [f"{quantity} is not what an audit measures"]
    if not audit:
        return NONE, None, [place.get("reason") or "no audit of this study stands for it"]
    label = place.get("label", line["attack"])
    for result in evidence.metrics:
        if result["audit"] == audit and (quantity in OF_COHORTS or result["label"] == label):
            break
    else:
        return NONE, None, [f"there is no result of {audit}/{label or quantity}"]
    if quantity in OF_COHORTS:
        accuracy = _accuracy(evidence.scale.get(result["target_cohort"], {}), quantity)
        return (accuracy, result, []) if accuracy else (NONE, None, ["no accuracies are recorded"])
    try:
        level = float(line["fpr"]) if quantity == "tpr" else None
        return estimate(result, quantity, level, place["over"]), result, []
    except ValueError as error:
        return NONE, None, [str(error)]


def _accuracy(scale, quantity):
    train, test = scale.get("train_accuracy"), scale.get("test_accuracy")
    if not train or not test:
        return None
    gap = [a - b for a, b in zip(train, test, strict=True)]
    return mean({"train_accuracy": train, "test_accuracy": test, "accuracy_gap": gap}[quantity])


def _scale(evidence, result, line):
    """Return what a result was measured on: SIZES and KINDS, None where they are not known."""
    known = {
        **evidence.scale.get(result["target_cohort"], {}),
        "targets": len(result["targets"]),
        "auxiliary_models": _auxiliary(evidence, result) if line["models"] else None,
    }
    sizes = {key: known.get(key) for key in SIZES}
    sizes = {key: size if size is None else round(size) for key, size in sizes.items()}
    return sizes | {key: known.get(key) for key in KINDS}


def _auxiliary(evidence, result) -> int:
    """Return how many models, shadow and reference, an attack on one target uses."""
    same = result["target_cohort"] == result["shadow_cohort"]
    shadow = evidence.scale.get(result["shadow_cohort"], {})
    count = result["references"] or shadow.get("per_target") or result["models"] - same
    third = evidence.scale.get(result.get("reference_cohort"), {})
    if not any(name.startswith("reference_") for name in reads(result["attack"])):
        return count
    there = third.get("per_target") or third.get("models") or 0
    return count + min(there, result["references"] or there)


def _cells(line, numbers, found, result, scale):
    printed = line["value"] + {"%": " %", "1": ""}.get(line["unit"], f" {line['unit']}")
    if line["spread"]:
        printed += f" ± {numbers['spread']:g}"
    show = common.rate if line["unit"] == "%" else common.number
    direction = f": {numbers['direction']}" if numbers["direction"] else ""
    by = (numbers["audit"], numbers["label"])
    return {
        "Table": line["table"],
        "Row": line["row"],
        "Column": line["column"],
        "Published": printed,
        "Measured": show(found) if result is not None else common.NONE,
        "By": ", ".join(filter(None, by)) if result is not None else "",
        "Scale": _described(scale),
        "Verdict": numbers["verdict"] + direction,
        "Why": numbers["reason"],
    }


def _described(scale) -> str:
    texts = {
        "targets": "{} targets",
        "models": "{} models",
        "auxiliary_models": "{} auxiliary models",
        "training_examples": "{:,} training examples",
        "epochs": "{} epochs",
        "architecture": "{}",
    }
    known = {key: text for key, text in texts.items() if scale[key] is not None}
    return ", ".join(text.format(scale[key]) for key, text in known.items())


def _notes(numbers):
    counts = Counter(numbers["verdict"]) if len(numbers) else Counter()
    tally = "; ".join(f"{judged}: {counts[judged]}" for judged in VERDICTS)
    notes = [f"{len(numbers)} published values; {tally}.", RULE]
    return notes + ([SPREAD] if len(numbers) and numbers["spread"].notna().any() else [])
