"""Published values: tables of papers as data, and which result of a study stands for which value.

A file `config/published/<paper>.csv` has a line for each number that a table or the running text
prints: where (paper, table, "text" or "abstract", row, column), the value as printed (of a range,
both ends) with its unit ("%", or "1" for a plain number), the spread printed beside it, and what it
is (quantity, FPR of a TPR or of an agreement, precision of a recall, attack, data set and how many
examples that has, architecture, training examples, auxiliary models, targets: the runs that a mean
is of); empty where the paper does not say, a range (1–2) where it says several. Everything is kept
as the text that was printed: 0.0 and 0.00 are not equally precise.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

import pandas as pd

PLACE = ("paper", "table", "row", "column")
MEANING = (
    "quantity", "fpr", "precision", "attack", "dataset", "population", "architecture",
    "training_examples", "models", "targets",
)  # fmt: skip
COLUMNS = (*PLACE, "value", "unit", "spread", "spread_unit", *MEANING, "note")
QUANTITIES = (
    "tpr", "recall", "auc", "balanced_accuracy", "train_accuracy", "test_accuracy", "accuracy_gap",
    "agreement_train", "agreement_test", "training_minutes", "inference_seconds", "epsilon",
    "examples", "uses",
)  # fmt: skip
UNITS = {"%": 0.01, "1": 1.0, "minutes": 1.0, "seconds": 1.0, "examples": 1.0, "mark": 1.0}
RANGE = "–"
CONDITIONS = ("table", "row", "column", *MEANING)
ASSIGNED = ("audit", "label", "over", "reason", "reading", "chosen")


@dataclass(frozen=True)
class Printed:
    """A printed value in plain numbers (0.084 for 8.4 %), with half a unit of its last digit.

    A range is its middle, and the rounding reaches to its ends. spread: what the paper prints
    behind ±, read as the standard deviation over the runs; nan if nothing. runs: how many runs or
    targets the value is the mean of, 0 if the paper does not say.
    """

    value: float
    rounding: float
    spread: float = float("nan")
    runs: int = 0


def printed(line: dict) -> Printed:
    """Return the value of a line of a published table."""
    factor = UNITS[line["unit"]]
    low, high = ends(line["value"])
    half = (high - low) / 2.0 if high > low else 0.0  # a single value may be infinite
    digits = len(line["value"].partition(RANGE)[0].partition(".")[2])
    value, rounding = low + half, 0.5 * 10.0**-digits + half
    spread = float(line["spread"] or "nan") * UNITS[line["spread_unit"] or "1"]
    runs = int(line["targets"] or 0)
    return Printed(value * factor, rounding * factor, spread, runs)


def ends(text: str) -> tuple[float, float]:
    """Return both ends of a printed range; a single number is both."""
    low, _, high = text.partition(RANGE)
    return float(low), float(high or low)


def select(values: pd.DataFrame, paper: str, tables: list[str]) -> list[dict]:
    """Return the lines of a paper's tables (all of them if `tables` is empty), in their order.

    Raises ValueError if the values are not the text of the file, or a table is not there.
    """
    missing = sorted(set(COLUMNS) - set(values.columns))
    if missing:
        raise ValueError(f"published values of {paper}: no column {', '.join(missing)}")
    if not values.map(lambda cell: isinstance(cell, str)).all(axis=None):
        raise ValueError(f"published values of {paper}: must be read as text, digit by digit")
    own = values[values["paper"] == paper]
    there = list(dict.fromkeys(own["table"]))
    for table in tables:
        if table not in there:
            raise ValueError(f"tables: {paper} has no table {table!r}; there is: {there}")
    return own[own["table"].isin(tables or there)].to_dict("records")


def assign(lines: list[dict], rules: list[dict]) -> list[dict]:
    """Return what the rules assign to each line: some of ASSIGNED.

    A rule holds conditions on a line's columns and what it assigns to the lines that meet them all;
    later rules overrule earlier ones, but reasons add up. A condition is a value, a pattern with *
    and ?, or a list of either; a range is met as it is written. In `audit` and `label`, {column}
    stands for the line's own. `chosen` (true or false): hyperparameters of the study were chosen so
    that the value is met. Raises ValueError for an unknown key and for a rule that no line meets.
    """
    result = [{} for _ in lines]
    for number, rule in enumerate(rules):
        unknown = sorted(set(rule) - {*CONDITIONS, *ASSIGNED})
        if unknown:
            allowed = ", ".join((*CONDITIONS, *ASSIGNED))
            raise ValueError(f"rows[{number}]: unknown key {unknown[0]!r}; allowed: {allowed}")
        met = [_meets(line, rule) for line in lines]
        if not any(met):
            raise ValueError(f"rows[{number}]: no published value is meant by {rule}")
        for place, meant in zip(result, met, strict=True):
            if meant:
                reasons = [place.get("reason"), rule.get("reason", "")]
                place.update({key: rule[key] for key in ASSIGNED if key in rule})
                place["reason"] = "; ".join(filter(None, reasons))
    for line, place in zip(lines, result, strict=True):
        place.update({key: _filled(place[key], line) for key in ("audit", "label") if key in place})
    return result


def by_reading(lines: list[dict], rules: list[dict], audits: list[str]) -> list[tuple[dict, dict]]:
    """Return each line with what is assigned to it, once more for every other reading of the paper.

    A rule with a `reading` (words) is read after those without, for that reading alone: a line that
    it meets has another place, if the audit assigned there is one of `audits`.
    """
    readings = dict.fromkeys(rule["reading"] for rule in rules if rule.get("reading"))
    plain = [rule for rule in rules if not rule.get("reading")]
    places = [assign(lines, plain)]
    for reading in readings:
        own = [rule for rule in rules if rule.get("reading") == reading]
        others = assign(lines, [*plain, *own])
        there = [p.get("reading") and p.get("audit") in audits for p in others]
        places.append([p if shown else None for p, shown in zip(others, there, strict=True)])
    own = zip(lines, *places, strict=True)
    return [(line, place) for line, *each in own for place in each if place is not None]


def _meets(line, rule):
    wanted = {key: rule[key] for key in CONDITIONS if key in rule}
    return all(
        any(_same(line[key], one) for one in (want if isinstance(want, list) else [want]))
        for key, want in wanted.items()
    )


def _same(found: str, wanted) -> bool:
    try:
        return float(found) == float(wanted)
    except ValueError:
        return fnmatchcase(found, str(wanted))


def _filled(text, line):
    try:
        return text.format(**line)
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"rows: {text!r} cannot be filled in from a published value") from error
