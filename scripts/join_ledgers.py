"""Join the ledgers of several studies on one page: docs/ledger_values.md.

Not a rule's script: `make ledger RESULTS="results/shi2024_small ..."` starts it. A folder of
results has its study's ledgers among its tables, exhibits/STUDY/*.csv.
"""

import sys
from pathlib import Path

import pandas as pd

from miatlas.exhibits import joined_ledgers
from miatlas.running.files import write_text

PAGE = Path(__file__).parents[1] / "docs" / "ledger_values.md"
OF_A_LEDGER = {"published", "measured", "verdict", "chance"}  # columns that no other table has
TEXT = dict.fromkeys(
    ("table", "row", "column", "reading", "unit", "reason", "architecture", "direction"), str
)


def main(folders: list[str], page: Path = PAGE) -> None:
    """Write the page of the ledgers in these folders. Raises ValueError for one without any."""
    ledgers = {}
    for folder in folders:
        files = [file for file in sorted(Path(folder).glob("exhibits/*/*.csv")) if _is_ledger(file)]
        if not files:
            raise ValueError(f"{folder}: no ledger among exhibits/STUDY/*.csv in this folder")
        for file in files:
            table = pd.read_csv(file, dtype=TEXT)
            table["paper"] = table.get("paper", file.name.split("_")[0])  # older files are named so
            for paper, own in table.groupby("paper", sort=False):
                ledgers.setdefault((file.parent.name, paper), []).append(own)
    ledgers = {place: pd.concat(tables) for place, tables in ledgers.items()}
    write_text(page, joined_ledgers.page(joined_ledgers.joined(ledgers)))


def _is_ledger(file):
    return set(pd.read_csv(file, nrows=0).columns) >= OF_A_LEDGER


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ValueError as error:
        sys.exit(f"miatlas: {error}")
