"""What the files of a user are: digests of their content, which names and times say nothing of."""

import hashlib
import os
import time
from functools import cache
from pathlib import Path

MANY = 10_000  # files of a folder: beyond it names and sizes stand for what is in them
SETTLED = 2  # seconds without a change, after which a file's marks tell of the next one
KNOWN: dict[str, list] = {}  # by path: the marks of a file that was read, and its digest


def of_files(*paths: Path | str) -> str:
    """Return a short hex digest of files and of folders with all they hold; "" of none.

    What cannot be read or is not there raises OSError.
    """
    found = [_of_folder(path) if os.path.isdir(path) else of_file(path) for path in paths]
    return _hex("\n".join(found))[:16] if found else ""


@cache
def of_file(path: Path | str) -> str:
    """Return the SHA-256 of a file, which is read again only if anything happened to it."""
    facts, name = os.stat(path), os.path.abspath(path)
    marks = [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino]
    kept, digest = KNOWN.get(name, (None, ""))
    if kept != marks:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if time.time() - facts.st_ctime > SETTLED:
            KNOWN[name] = [marks, digest]
    return digest


def _of_folder(folder):
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    what = (lambda path: path.stat().st_size) if len(files) > MANY else of_file
    return _hex("\n".join(f"{path.relative_to(folder)} {what(path)}" for path in files))


def _hex(text):
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
