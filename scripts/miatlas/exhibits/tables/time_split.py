"""Where an audit's time goes: training, queries and scoring, by the workflow's own benchmarks."""

import pandas as pd

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.tables.common import NONE

READS = ("metrics", "costs")
NOTE = (
    "Wall time of the stage's jobs, one after the other: jobs that ran side by side took less in"
    " all. Each includes its start. Scoring: all attacks of this table. The population, the splits,"
    " metrics, figures and the report are not in it."
)


def tabulate(evidence: Evidence, *, audit_names: dict = {}):
    """Return the numbers and the table shown, a row for each audit and stage, and their sum.

    Columns of the numbers: audit, stage, models (trained or queried; 0: no such thing), seconds,
    share (of the audit's seconds), seconds_each (a model; NaN without models), max_rss_mb.
    `audit_names`: audit -> the name shown.
    """
    alone = {r["audit"] for r in evidence.metrics if r["target_cohort"] == r["shadow_cohort"]}
    costs = evidence.costs.groupby("audit", sort=False)
    parts = [_split(audit, own, audit in alone) for audit, own in costs]
    numbers = pd.concat(parts, ignore_index=True)
    shown = pd.DataFrame(
        {
            "Audit": numbers["audit"].map(lambda name: audit_names.get(name, name)),
            "Stage": numbers["stage"],
            "Models": numbers["models"].map(lambda n: f"{n:,}" if n else NONE),
            "Time": numbers["seconds"].map(_time),
            "Share": numbers["share"].map("{:.0%}".format),
            "A model": [
                _time(s) if n else NONE
                for s, n in zip(numbers["seconds_each"], numbers["models"], strict=True)
            ],
            "Memory (MB)": numbers["max_rss_mb"].map("{:,.0f}".format),
        }
    )
    if numbers["audit"].nunique() == 1:
        shown = shown.drop(columns="Audit")
    shown.attrs["notes"] = [NOTE]
    return numbers, shown


def _split(audit, costs, alone):
    """Return the rows of one audit: a cohort's costs stand beside every attack, and count once.

    `alone`: targets and shadow models are one cohort, which was trained once.
    """
    if alone:
        costs = costs[costs["stage"] != "shadow training"].replace("target training", "training")
    scoring = costs[costs["stage"] == "scoring"].assign(models=0)
    others = costs[costs["stage"] != "scoring"].drop_duplicates("stage")
    found = pd.concat([others, scoring]).groupby("stage", sort=False)
    rows = found.agg({"models": "max", "seconds": "sum", "max_rss_mb": "max"}).reset_index()
    total = {"stage": "total", "models": 0, "seconds": rows["seconds"].sum()}
    total["max_rss_mb"] = rows["max_rss_mb"].max()
    rows = pd.concat([rows, pd.DataFrame([total])], ignore_index=True)
    rows["share"] = rows["seconds"] / total["seconds"]
    rows["seconds_each"] = rows["seconds"] / rows["models"].where(rows["models"] > 0)
    return rows.assign(audit=audit)[
        ["audit", "stage", "models", "seconds", "share", "seconds_each", "max_rss_mb"]
    ]


def _time(seconds):
    return f"{seconds / 60:.1f} min" if seconds >= 120 else f"{seconds:.1f} s"
