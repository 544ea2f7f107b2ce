"""The ledgers of several studies on one page: what each measured of a published value.

A ledger is the table of numbers of `tables/ledger.py`, as its CSV file has it.
"""

from collections import Counter

import pandas as pd

from miatlas.exhibits.tables import ledger_notes
from miatlas.exhibits.verdicts import AGREES, CHOSEN, DIFFERS, NOT_MEASURED, UNDECIDED, VERDICTS

SCALE = {
    "targets": "{:.0f} targets", "models": "{:.0f} models",
    "auxiliary_models": "{:.0f} auxiliary", "training_examples": "{:,.0f} examples",
    "population": "of {:,.0f}", "epochs": "{:.0f} epochs", "architecture": "{}",
}  # fmt: skip
PLACE = ["paper", "table", "row", "column"]
SHOWN = ("Table", "Value", "Published", "Measured", "Study", "Scale", "Verdict")
PERCENT, PLAIN = "%", "1"


def joined(ledgers: dict[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """Return one table of the ledgers by (study, paper), with two columns that say so.

    The order is that of the papers, and within a table that of the first ledger that has it; what
    several studies measured of one value stands together.
    """
    tables = [own.assign(study=study, paper=paper) for (study, paper), own in ledgers.items()]
    data = pd.concat(tables, ignore_index=True)
    places = data[PLACE].astype(str).agg("\0".join, axis=1)
    first = {place: number for number, place in enumerate(dict.fromkeys(places))}
    papers = {paper: number for number, paper in enumerate(dict.fromkeys(data["paper"]))}
    keys = pd.DataFrame({"paper": data["paper"].map(papers), "place": places.map(first)})
    order = keys.sort_values(["paper", "place"], kind="stable").index
    return data.loc[order].reset_index(drop=True)


def counts(data: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each study: how many values it measured, and their verdicts.

    Of values with chance known on both sides: how many there are, how many of them differ, and how
    many would by chance, if all were exact replications.
    """
    rows = [_counted(name, own) for name, own in data.groupby(["study", "paper"], sort=False)]
    return pd.DataFrame([*rows, _counted(("all", ""), data)])


def _counted(name, own):
    found = Counter(own["verdict"])
    known, differ = ledger_notes.known_on_both_sides(own)
    return {
        "Study": name[0],
        "Paper": name[1],
        "Measured": len(own) - found[NOT_MEASURED],
        **{verdict.capitalize(): found[verdict] for verdict in VERDICTS},
        "Chance known": known,
        "of these differ": differ,
        "would by chance": f"{ledger_notes.BY_CHANCE * known:.1f}",
    }


def at_scale(data: pd.DataFrame) -> tuple[int, int]:
    """Return how many comparisons were made at the paper's own scale, and of how many values.

    Those that agree, differ or are undecided; a value in several readings of the paper, or measured
    by several studies, is several comparisons.
    """
    own = data[data["verdict"].isin([AGREES, DIFFERS, UNDECIDED])]
    return len(own), len(own[PLACE].drop_duplicates())


def measured(data: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that were measured, as they are shown: with paper and the columns SHOWN."""
    own = data[data["verdict"] != NOT_MEASURED]
    return pd.DataFrame([_shown(row) for row in own.to_dict("records")], columns=["paper", *SHOWN])


def not_measured(data: pd.DataFrame) -> pd.DataFrame:
    """Return what no study measured: paper, table, how many values, and the reasons given."""
    there = data[data["verdict"] != NOT_MEASURED][PLACE].drop_duplicates()
    gone = data.merge(there, how="left", on=PLACE, indicator=True)
    gone = gone[gone["_merge"] == "left_only"]
    rows = [
        {
            "paper": paper,
            "Table": table,
            "Values": len(own[PLACE].drop_duplicates()),
            "Why": "; ".join(dict.fromkeys(own["reason"].dropna())),
        }
        for (paper, table), own in gone.groupby(["paper", "table"], sort=False)
    ]
    return pd.DataFrame(rows, columns=["paper", "Table", "Values", "Why"])


def _shown(row):
    read = f" ({row['reading']})" if _given(row["reading"]) else ""
    spread = f" ± {row['spread']:g}" if _given(row["spread"]) else ""
    facts = [text.format(row[key]) for key, text in SCALE.items() if _given(row[key])]
    judged = row["verdict"]
    if judged not in (CHOSEN, UNDECIDED) and _given(row["direction"]):
        judged += f": {row['direction']}"
    values = (row["measured"], row["low"], row["high"])
    cells = (
        row["table"], f"{row['row']}, {row['column']}",
        written((row["published"],), row["unit"]) + spread, written(values, row["unit"]),
        f"{row['study']}{read}", ", ".join(facts), judged,
    )  # fmt: skip
    return {"paper": row["paper"], **dict(zip(SHOWN, cells, strict=True))}


def _given(value):
    return not (pd.isna(value) or value == "")


def written(values, unit):
    """Return a value with its interval, if there is one, in the unit of the paper."""
    value, *interval = values
    if unit == PERCENT:
        digits = 1 if value >= 0.95 or value == 0 else 2
    else:
        digits = 3 if unit == PLAIN else 1
    said = f"{value:,.{digits}f}" + {PERCENT: " %", PLAIN: ""}.get(unit, f" {unit}")
    if interval and _given(interval[0]):
        low, high = (f"{end:.{digits}f}" for end in interval)
        said += f" [{low}, {high}]"
    return said


def page(data: pd.DataFrame) -> str:
    """Return the page: how many values have which verdict, each of them, what is not measured."""
    comparisons, values = at_scale(data)
    parts = [HEAD.format(comparisons=comparisons, values=values), _table(counts(data))]
    shown, gone = measured(data), not_measured(data)
    for paper in dict.fromkeys(data["paper"]):
        parts += [f"## {paper}", _table(_of(shown, paper))]
        if len(missing := _of(gone, paper)):
            parts += [f"### Not measured of {paper}", _table(missing)]
    return "\n\n".join(parts) + "\n"


def _of(data, paper):
    return data[data["paper"] == paper].drop(columns="paper")


def _table(data):
    """Return a table in Markdown."""
    lines = [list(data.columns), ["---"] * len(data.columns), *data.astype(str).to_numpy().tolist()]
    lines = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


HEAD = """\
---
hide: [toc] # wide tables
---

# Every published value beside the measured ones

Made by `make ledger` from the ledgers of several studies: what a paper prints, what each study
measured of it with its 95 % interval, at which scale, and the verdict; [Published and
measured](ledger.md) says how verdicts are made. At the papers' own scale there are {comparisons}
comparisons of {values} values: one for each reading of the paper and each study. *Not comparable at
this scale* says beside it where the measured value lies all the same."""
