"""What earlier runs found out, kept in a JSON file: digests that would take long to find anew."""

import atexit
import json
from contextlib import suppress
from pathlib import Path

from miatlas.running.files import write_json


def remember(known: dict, file: Path) -> None:
    """Add to `known` what earlier runs kept in a JSON file; when this one ends, write it back.

    Whoever looks an entry up must see whether it is out of date. A damaged file is as good as none.
    """
    with suppress(OSError, ValueError, TypeError):
        known.update(json.loads(file.read_text(encoding="utf-8")))
    atexit.register(_keep, known, file.absolute(), dict(known))


def _keep(known, file, before):
    if known != before:
        with suppress(OSError):
            write_json(file, known)
