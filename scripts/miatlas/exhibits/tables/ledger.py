"""The reproduction ledger: every published value beside the measured one, with a verdict.

Verdicts: `agrees` and `differs`, as chance and the rounding of the published value have it
(`verdicts.chance`: the published value is the mean of a few runs, too); `undecided` where no chance
is known; `chosen to be met` where the study's hyperparameters were; `not comparable at this scale`
where a fact (training examples, architecture, data and how many examples it has, number of
auxiliary models, an FPR below the resolution, another machine's time) or the study file says what
is different, whatever the numbers are; `not measured` where nothing stands for the value, and why.
The numbers are shown in all cases.
"""

from typing import Literal

import pandas as pd

from miatlas.exhibits import published as values
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.published import UNITS
from miatlas.exhibits.tables import common, ledger_notes, measured
from miatlas.exhibits.tables.measured import KINDS, SIZES
from miatlas.exhibits.verdicts import (
    AGREES,
    DIFFERS,
    NOT_MEASURED,
    ONE_SIDED,
    differences,
    verdict,
)

READS = ("metrics", "published", "scale", "scores", "costs")
RUNS = ("runs_published", "runs_measured")
MARKS = "uses"  # of what an attack uses: no measurement; `attacks_compared` shows them


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
    values, as `published.by_reading` has it; the attack's label is the published attack's unless a
    rule says otherwise. The numbers are in the paper's unit.

    `over`: the mean over the targets, or one threshold for all of them (pooled).
    """
    lines = values.select(evidence.published, published, tables)
    marks = [line for line in lines if line["quantity"] == MARKS]
    lines = [line for line in lines if line["quantity"] != MARKS]
    places = values.by_reading(lines, checked(rows, evidence), evidence.audits())
    entries = [_entry(evidence, line, {"over": over, **place}) for line, place in places]
    shown = pd.DataFrame([cells for _, cells in entries])
    if len(shown) and not shown["Reading"].any():
        shown = shown.drop(columns="Reading")
    numbers = pd.DataFrame([numbers for numbers, _ in entries])
    numbers = numbers.astype({size: "Int64" for size in (*SIZES, *RUNS) if len(numbers)})
    shown.attrs["notes"] = ledger_notes.lines(numbers, len(marks))
    return numbers, shown


def checked(rules, evidence):
    """Refuse audits and labels that the exhibit does not have, unless a value names them.

    The audit "" is none: what a rule before has named does not stand for these values.
    """
    there = {
        "audit": [*evidence.audits(), ""],
        "label": list(evidence.names),
        "over": ["mean", "pooled"],
    }
    there["chosen"] = [True, False]
    for rule in rules:
        for key, known in there.items():
            if key in rule and rule[key] not in known and "{" not in str(rule[key]):
                raise ValueError(f"rows: {key} {rule[key]!r} is not of this exhibit: {known}")
    return rules


def _entry(evidence, line, place):
    """Return the numbers and the cells of one published value."""
    found, result, missing = measured.find(evidence, line, place)
    printed, factor = values.printed(line), UNITS[line["unit"]]
    judged, direction, chance = NOT_MEASURED, "", ""
    scale = dict.fromkeys((*SIZES, *KINDS))
    why = [place["reason"]] if place.get("reason") else []
    if result is not None:
        scale = measured.scale(evidence, result, line)
        why = differences(line, scale, scale["auxiliary_models"], found) + why
        judged, direction, chance = verdict(printed, found, why, place.get("chosen", False))
    elif place.get("audit") or not why:
        why = [missing, *why]
    estimates = {"measured": found.value, "low": found.low, "high": found.high}
    numbers = {
        **{
            key: line[key] for key in ("paper", "table", "row", "column", "quantity", "fpr", "unit")
        },
        "published": printed.value / factor,
        "spread": printed.spread / factor,
        "reading": place.get("reading", ""),
        "audit": place.get("audit", ""),
        "label": place.get("label", line["attack"]),
        **{key: value / factor for key, value in estimates.items()},
        "difference": (found.value - printed.value) / factor,
        **scale,
        "verdict": judged,
        "direction": direction,
        "chance": chance,
        "runs_published": printed.runs or None,
        "runs_measured": found.n or None,
        "reason": "; ".join(why),
        "note": line["note"],
    }
    return numbers, _cells(line, numbers, found, result, scale)


def _cells(line, numbers, found, result, scale):
    printed = line["value"] + {"%": " %", "1": ""}.get(line["unit"], f" {line['unit']}")
    if line["spread"]:
        printed += f" ± {numbers['spread']:g}"
    show = {"%": common.rate, "1": common.number}.get(line["unit"], _time(line["unit"]))
    show = _epsilon if line["quantity"] == "epsilon" else show
    judged = ": ".join(filter(None, (numbers["verdict"], numbers["direction"])))
    judged += f" ({ONE_SIDED})" if _decided(numbers) and numbers["chance"] == ONE_SIDED else ""
    by = (numbers["audit"], numbers["label"])
    return {
        "Table": line["table"],
        "Row": line["row"],
        "Column": line["column"],
        "Reading": numbers["reading"],
        "Published": printed,
        "Measured": show(found) if result is not None else common.NONE,
        "By": ", ".join(filter(None, by)) if result is not None else "",
        "Scale": _described(scale),
        "Verdict": judged,
        "Why": numbers["reason"],
    }


def _decided(numbers):
    return numbers["verdict"] in (AGREES, DIFFERS)


def _epsilon(estimate):
    return f"{estimate.value:.3g}"


def _time(unit):
    return lambda estimate: f"{estimate.value:,.1f} {unit}"


def _described(scale) -> str:
    texts = {
        "targets": "{} targets",
        "models": "{} models",
        "auxiliary_models": "{} auxiliary models",
        "training_examples": "{:,} training examples",
        "population": "population of {:,}",
        "epochs": "{} epochs",
        "architecture": "{}",
    }
    known = {key: text for key, text in texts.items() if scale[key] is not None}
    parts = [text.format(scale[key]) for key, text in known.items()]
    return ", ".join(part.removesuffix("s") if part.startswith("1 ") else part for part in parts)
