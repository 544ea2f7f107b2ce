"""Write what the code declares of a study: config/schema.json and config/README.md.

Not a rule's script: `make schema` starts it.
"""

from pathlib import Path

from miatlas.running.files import write_json, write_text
from miatlas.study.json_schema import study_schema
from miatlas.study.reference import reference

CONFIG = Path(__file__).parents[1] / "config"


def main(folder: Path = CONFIG) -> None:
    """Write both files into a folder."""
    write_json(folder / "schema.json", study_schema())
    write_text(folder / "README.md", reference())


if __name__ == "__main__":
    main()
