"""Write what the code declares of a study (config/schema.json, config/README.md), and the list of
exhibits that the studies make (docs/exhibits.md).

Not a rule's script: `make schema` starts it.
"""

import csv
from pathlib import Path

from miatlas.running.files import write_json, write_text
from miatlas.study import exhibit_list, study_files
from miatlas.study.json_schema import study_schema
from miatlas.study.reference import reference

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config"


def main(folder: Path = CONFIG, docs: Path = ROOT / "docs") -> None:
    """Write the schema and the reference into a folder, the list of exhibits into another."""
    write_json(folder / "schema.json", study_schema())
    write_text(folder / "README.md", reference())
    write_text(docs / "exhibits.md", exhibits())


def exhibits() -> str:
    """Return the page of the papers' exhibits and who makes them."""
    with (CONFIG / "exhibits.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    return exhibit_list.page(lines, study_files.all_merged(CONFIG))


if __name__ == "__main__":
    main()
