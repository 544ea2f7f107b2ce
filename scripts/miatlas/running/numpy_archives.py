"""NumPy archives (.npz) from outside: what they hold by their headers, and whole; no pickles."""

import math
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from miatlas.running.foreign_arrays import check_claim

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@dataclass(frozen=True)
class Header:
    """What an array of an archive says of itself."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def nbytes(self) -> int:
        """The bytes that the array takes in memory."""
        return math.prod(self.shape) * self.dtype.itemsize


def headers(path: Path) -> dict[str, Header]:
    """Return the header of every array, by name; nothing is unpacked.

    Raises ValueError, naming the file, for what is no archive of arrays, and for an array that
    claims far more than what the file holds of it.
    """
    path = Path(path)
    infos = members(path)
    with _readable(path), zipfile.ZipFile(path) as archive:
        found = {name: _header(archive, info) for name, info in infos.items()}
    for name, header in found.items():
        check_claim(path, name, header.nbytes, infos[name].compress_size)
    return found


def members(path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return what lies in the archive, by name; whether it is an array is not looked at."""
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: not a readable .npz file: no archive of arrays, or cut short")
    with _readable(path), zipfile.ZipFile(path) as archive:
        return {info.filename.removesuffix(".npy"): info for info in archive.infolist()}


def arrays(path: Path) -> dict[str, np.ndarray]:
    """Return all arrays of an archive whose `headers` have been looked at."""
    with _readable(path), np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@contextmanager
def _readable(path):
    """Name the file in whatever is said of an archive that is damaged."""
    try:
        yield
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: not a readable .npz file: {error}") from error


def _header(archive, info) -> Header:
    with archive.open(info) as member:
        version = npy.read_magic(member)
        shape, _, kind = HEADERS.get(version, npy.read_array_header_2_0)(member)
    return Header(shape, kind)
