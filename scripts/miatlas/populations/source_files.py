"""The files of a source: which it needs, which are missing, and whether they are the right ones.

Asked when the workflow starts, so that a missing file is named before anything runs: no numpy,
pandas or torch here.
"""

import hashlib
import os
from pathlib import Path

from miatlas.populations.catalogue import SOURCES, File, about


def required_files(source: str, options: dict, data_root: Path | str) -> list[tuple[Path, str]]:
    """Return (path, checksum) of every file or folder that a source reads, in catalogue order."""
    root = Path(data_root)
    if "path" in options:  # the user's own file; an absolute path stays as it is
        checksum = options.get("sha256")
        path = Path(os.path.normpath(root / options["path"]))
        more = [options["nonmembers"]] if options.get("nonmembers") else []
        beside = [(Path(os.path.normpath(root / other)), "") for other in more]
        return [(path, f"sha256:{checksum}" if checksum else ""), *beside]
    return [(_found(root, file), file.checksum) for file in about(source).files]


def brought_files(source: str, options: dict, data_root: Path | str) -> list[Path]:
    """Return what a user put there for a source to read: nothing for one that downloads itself.

    Those files are checked when they are downloaded, and are the same for everybody.
    """
    if about(source).downloadable and "path" not in options:
        return []
    return [path for path, _ in required_files(source, options, data_root)]


def _found(root: Path, file: File) -> Path:
    own = root / file.path
    other = root / file.alias
    return other if file.alias and other.is_file() and not own.is_file() else own


def missing_files(source: str, options: dict, data_root: Path | str) -> list[str]:
    """Return one message for every file that is not there and will not be downloaded."""
    entry = about(source)
    if entry.downloadable and options.get("download", True):
        return []
    folders = {Path(data_root) / file.path for file in entry.files if file.path.endswith("/")}
    pairs = required_files(source, options, data_root)
    folders |= {path for path, _ in pairs if source == "folders"}
    return [
        f"{source}: missing {'folder' if path in folders else 'file'} {path.name}: looked for "
        f"{path}; it comes from {entry.origin} ({entry.citation})"
        for path, _ in pairs
        if not _is_there(path, path in folders, source not in SOURCES)
    ]


def _is_there(path, is_folder, is_either):
    return path.exists() if is_either else path.is_dir() if is_folder else path.is_file()


def located(source: str, options: dict, data_root: Path | str) -> list[Path]:
    """Return the paths that a source reads, present and with the right checksums.

    Raises FileNotFoundError with the messages of `missing_files`, ValueError as `verify` does.
    """
    missing = missing_files(source, {**options, "download": False}, data_root)
    if missing:
        raise FileNotFoundError("\n".join(missing))
    pairs = required_files(source, options, data_root)
    for path, checksum in pairs:
        verify(path, checksum)
    return [path for path, _ in pairs]


def verify(path: Path, checksum: str) -> None:
    """Raise ValueError, naming the file, unless it has the checksum ("" is not checked)."""
    if not checksum:
        return
    algorithm, _, expected = checksum.partition(":")
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != expected.lower():
        raise ValueError(
            f"{path}: wrong checksum: its {algorithm} is {found}, not {expected}; the file is "
            "damaged, cut short or another version: replace or delete it"
        )
