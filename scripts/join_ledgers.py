"""Join the ledgers of several studies on one page: docs/ledger_values.md.

Not a rule's script: `make ledger RESULTS="results/shi2024_small ..."` starts it. A folder of
results has its study's ledgers as exhibits/STUDY/PAPER_..._ledger.csv.
"""

import sys
from pathlib import Path

import pandas as pd

from miatlas.exhibits import joined_ledgers
from miatlas.running.files import write_text

PAGE = Path(__file__).parents[1] / "docs" / "ledger_values.md"
LEDGER = "_ledger.csv"
TEXT = dict.fromkeys(
    ("table", "row", "column", "reading", "unit", "reason", "architecture", "direction"), str
)


def main(folders: list[str], page: Path = PAGE) -> None:
    """Write the page of the ledgers in these folders. Raises ValueError for one without any."""
    ledgers = {}
    for folder in map(Path, folders):
        files = sorted(folder.glob(f"exhibits/*/*{LEDGER}"))
        if not files:
            raise ValueError(f"{folder}: no exhibits/STUDY/PAPER{LEDGER} in this folder of results")
        for file in files:
            place = file.parent.name, file.name.split("_")[0]
            ledgers.setdefault(place, []).append(pd.read_csv(file, dtype=TEXT))
    ledgers = {place: pd.concat(tables) for place, tables in ledgers.items()}
    write_text(page, joined_ledgers.page(joined_ledgers.joined(ledgers)))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ValueError as error:
        sys.exit(f"miatlas: {error}")
