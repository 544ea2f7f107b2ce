"""CIFAR-10 in parcels of at most 60 MiB: `data_parcels.py make DATA_ROOT FOLDER`, `join` there.

Not a rule's script. Pixels become lossless WebP mosaics, the rest of each batch file is compressed;
what `join FOLDER DATA_ROOT` writes are the files that `make` was given, byte by byte. NumPy and
Pillow are needed.
"""

import hashlib
import io
import json
import lzma
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
FILES = [*BATCHES, "batches.meta"]
PARCELS, IMAGES, SHAPE = 2, 10_000, (3, 32, 32)
LIMIT = 60 * 2**20
SET = "cifar-10-batches-py"


def make(root: Path, folder: Path, images: int = IMAGES) -> None:
    """Write the parcels of a data root's CIFAR-10 into the folder."""
    for number in range(PARCELS):
        path = folder / f"cifar10_{number}.zip"
        with zipfile.ZipFile(path, "w") as parcel:
            for name in FILES[number::PARCELS]:
                pack(parcel, name, (root / SET / name).read_bytes(), images)
        if path.stat().st_size > LIMIT:
            sys.exit(f"{path}: is larger than 60 MiB")


def pack(parcel, name: str, content: bytes, images: int) -> None:
    """Add a file: its mosaic if it is a batch, what stands before and after it, its digest."""
    size, start = images * int(np.prod(SHAPE)), 0
    if name in BATCHES:
        start = content.find(size.to_bytes(4, "little")) + 4  # as a pickle says a string's length
        if start < 4 or len(content) < start + size:
            sys.exit(f"{name}: holds no {images} images of 32x32 pixels")
        side = int(images**0.5)
        pixels = np.frombuffer(content, np.uint8, size, start).reshape(side, side, *SHAPE)
        mosaic = pixels.transpose(0, 3, 1, 4, 2).reshape(side * 32, side * 32, 3)
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(mosaic)).save(file, "webp", lossless=True, method=4)
        parcel.writestr(f"{name}.webp", file.getvalue())
    else:
        size = 0
    parcel.writestr(f"{name}.before", lzma.compress(content[:start]))
    parcel.writestr(f"{name}.after", lzma.compress(content[start + size :]))
    parcel.writestr(f"{name}.json", json.dumps(hashlib.sha256(content).hexdigest()))


def join(folder: Path, root: Path) -> None:
    """Write the files of all parcels in the folder below the data root."""
    (root / SET).mkdir(parents=True, exist_ok=True)
    for number in range(PARCELS):
        with zipfile.ZipFile(folder / f"cifar10_{number}.zip") as parcel:
            for name in FILES[number::PARCELS]:
                (root / SET / name).write_bytes(unpack(parcel, name))


def unpack(parcel, name: str) -> bytes:
    """Return a file's content; one that is not what was packed is refused."""
    before, after = (lzma.decompress(parcel.read(f"{name}.{part}")) for part in ("before", "after"))
    pixels = b""
    if f"{name}.webp" in parcel.namelist():
        mosaic = np.asarray(Image.open(io.BytesIO(parcel.read(f"{name}.webp"))))
        side = len(mosaic) // 32
        pixels = mosaic.reshape(side, 32, side, 32, 3).transpose(0, 2, 4, 1, 3).tobytes()
    content = before + pixels + after
    if hashlib.sha256(content).hexdigest() != json.loads(parcel.read(f"{name}.json")):
        sys.exit(f"{parcel.filename}: {name} is damaged: copy the parcel again")
    return content


if __name__ == "__main__":
    {"make": make, "join": join}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
