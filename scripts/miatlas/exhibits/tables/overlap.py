"""Which attacks name the same members: each attack, and the ones most and least like it."""

import pandas as pd

from miatlas.exhibits.evidence import NAN, Estimate, Evidence, percent
from miatlas.exhibits.overlaps import ALL, ANY, overlaps
from miatlas.exhibits.tables import common
from miatlas.leakage.levels import Level

READS = ("metrics", "scores")


def tabulate(evidence: Evidence, *, level: Level = 0.01):
    """Return the numbers (`overlaps`, every pair) and the table shown, a row an attack.

    `level`: the FPR on other models that thresholds are transferred from. Shown are the share of
    the members that an attack names, what it alone names, and the attacks whose members are most
    and least the same, by the Jaccard index; then what any names, and what all do.
    """
    data, names = overlaps(evidence, level), evidence.names
    value = {
        (row.kind, row.first): _estimate(row) for row in data.itertuples() if row.kind != "jaccard"
    }
    rows = [_row(label, names, value, _others(data, label)) for label in names]
    for key, said in ((ANY, "named by any of them"), (ALL, "named by all of them")):
        rows.append({"Attack": said, "Members named": common.rate(value["named", key])})
    shown = pd.DataFrame(rows).fillna("")
    several = any(len(result["targets"]) > 1 for result in evidence.metrics)
    shown.attrs["notes"] = _notes(data, value, level, several)
    return data, shown


def _row(label, names, value, others):
    most, least = (others[place] if others else None for place in (-1, 0))
    return {
        "Attack": names[label],
        "Members named": common.rate(value["named", label]),
        "by no other attack": common.rate(value["alone", label]),
        "Most alike (Jaccard)": _said(most, names),
        "Least alike (Jaccard)": _said(least, names),
    }


def _others(data, label):
    """Return (estimate, other label) of all pairs with a label that have a value, least first."""
    pairs = data[(data["kind"] == "jaccard") & data["value"].notna()]
    own = pairs[(pairs["first"] == label) | (pairs["second"] == label)]
    found = [
        (_estimate(row), row.second if row.first == label else row.first)
        for row in own.itertuples()
    ]
    return sorted(found, key=lambda one: one[0].value)


def _said(pair, names):
    return f"{names[pair[1]]}: {common.number(pair[0])}" if pair else common.NONE


def _estimate(row):
    return Estimate(*(NAN if x is None else x for x in (row.value, row.low, row.high)))


def _notes(data, value, level, several):
    counted = data[data["kind"] == "named"]["whole"].iloc[0]
    none = 100 * value["count", "0"].value
    speaks = "this population" if several else "this model, other examples of the kind"
    return [
        f"Of {counted:,} pairs of a target and one of its members; thresholds of an FPR of"
        f" {percent(level)} on other models; 95 % intervals for {speaks}, at"
        f" these thresholds. No attack names {none:.1f} %.",
        "Jaccard: of the members that either attack names, how many both name. Every pair, what it"
        " would be by chance, and how many members exactly k attacks name, are in the CSV file.",
    ]
