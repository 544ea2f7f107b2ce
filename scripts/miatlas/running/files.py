"""Files are written whole or not at all."""

import csv
import json
import os
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path):
    """Yield a temporary name in the same folder; it becomes `path` when the block succeeds.

    An OSError of the block (a full disk, no permission) names `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path, text: str) -> None:
    """Write a text file whole."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path, content) -> None:
    """Write a JSON file whole; NaN is refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_rows(path, rows: list[dict]) -> None:
    """Write a table of rows whole, without pandas, which takes a while to import.

    Its columns are the keys, in the order in which they come; what a row has not, or is None or
    NaN, is left empty. Each cell is written as it is: an integer beside an empty cell stays one,
    and float32 has its own digits.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with whole(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        for row in rows:
            cells = [row.get(column) for column in columns]
            table.writerow([None if cell != cell else cell for cell in cells])  # NaN is not itself


def write_csv(path, table) -> None:
    """Write a data frame whole, with enough digits to be read back exactly."""
    with whole(path) as temporary:
        table.to_csv(temporary, index=False, encoding="utf-8")
