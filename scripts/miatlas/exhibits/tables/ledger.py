"""The reproduction ledger: every published value beside the measured one, with a verdict.

Verdicts: `agrees` where the published value, within its rounding, lies in the measured 95 %
interval or the measured value lies in the published spread; `differs` where neither does; `not
comparable at this scale` where a fact (training examples, architecture, data and how many examples
it has, number of auxiliary models, an FPR below the resolution, another machine's time) or the
study file says what is different, whatever the numbers are; `not measured` where nothing stands for
the value, and why. The numbers are shown in all cases.
"""

from collections import Counter
from typing import Literal

import pandas as pd

from miatlas.exhibits import published as values
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.published import UNITS
from miatlas.exhibits.tables import common, measured
from miatlas.exhibits.tables.measured import KINDS, SIZES
from miatlas.exhibits.verdicts import NOT_MEASURED, VERDICTS, differences, verdict

READS = ("metrics", "published", "scale", "scores", "costs")
MARKS = "uses"  # of what an attack uses: no measurement; `attacks_compared` shows them
SPREAD = "Behind ±: the spread that the paper prints."
RULE = (
    "Agrees: the published value, within its rounding, lies in the measured 95 % interval, or the"
    " measured value in the published spread; a wide interval agrees easily."
)


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
    rule says otherwise. `over` as in `exhibits.estimate`. The numbers are in the paper's unit.
    """
    lines = values.select(evidence.published, published, tables)
    marks = [line for line in lines if line["quantity"] == MARKS]
    lines = [line for line in lines if line["quantity"] != MARKS]
    places = values.by_reading(lines, _checked(rows, evidence), evidence.audits())
    entries = [_entry(evidence, line, {"over": over, **place}) for line, place in places]
    shown = pd.DataFrame([cells for _, cells in entries])
    if len(shown) and not shown["Reading"].any():
        shown = shown.drop(columns="Reading")
    numbers = pd.DataFrame([numbers for numbers, _ in entries])
    numbers = numbers.astype({size: "Int64" for size in SIZES if len(numbers)})
    shown.attrs["notes"] = _notes(numbers, len(marks))
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
    found, result, missing = measured.find(evidence, line, place)
    printed, factor = values.printed(line), UNITS[line["unit"]]
    judged, direction, scale = NOT_MEASURED, "", dict.fromkeys((*SIZES, *KINDS))
    why = [place["reason"]] if place.get("reason") else []
    if result is not None:
        scale = measured.scale(evidence, result, line)
        why = differences(line, scale, scale["auxiliary_models"], found) + why
        judged, direction = verdict(printed, found, why)
    elif place.get("audit") or not why:
        why = [missing, *why]
    estimates = {"measured": found.value, "low": found.low, "high": found.high}
    numbers = {
        **{key: line[key] for key in ("table", "row", "column", "quantity", "fpr", "unit")},
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
        "reason": "; ".join(why),
        "note": line["note"],
    }
    return numbers, _cells(line, numbers, found, result, scale)


def _cells(line, numbers, found, result, scale):
    printed = line["value"] + {"%": " %", "1": ""}.get(line["unit"], f" {line['unit']}")
    if line["spread"]:
        printed += f" ± {numbers['spread']:g}"
    show = {"%": common.rate, "1": common.number}.get(line["unit"], _time(line["unit"]))
    direction = f": {numbers['direction']}" if numbers["direction"] else ""
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
        "Verdict": numbers["verdict"] + direction,
        "Why": numbers["reason"],
    }


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


def _notes(numbers, marks):
    readings = dict(list(numbers.groupby("reading", sort=False))) if len(numbers) else {}
    first = readings.pop("", numbers)
    notes = [f"{len(first)} published values; {_tally(first, '{verdict}: {count}', '; ')}."]
    for table, own in first.groupby("table", sort=False) if len(first) else ():
        notes.append(f"Table {table}: {_tally(own, '{verdict} {count}', ', ')}.")
    for reading, own in readings.items():
        notes.append(f"Read as {reading}: {_tally(own, '{verdict} {count}', ', ')}.")
    notes += [f"{marks} marks of what an attack uses are not among them."] if marks else []
    spreads = len(numbers) and numbers["spread"].notna().any()
    return [*notes, RULE] + ([SPREAD] if spreads else [])


def _tally(numbers, words, between):
    """Return how many values have each of the verdicts, in words."""
    counts = Counter(numbers["verdict"]) if len(numbers) else Counter()
    return between.join(words.format(verdict=v, count=counts[v]) for v in VERDICTS)
