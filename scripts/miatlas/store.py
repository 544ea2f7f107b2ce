"""Files: HDF5, safetensors, CSV and JSON, written whole or not at all, checked when read."""

import json
import os
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

FORMAT = 1
# What every signals file holds: dimensions and kinds of number (bool, integers, floats).
SIGNALS = {"member": (2, "bui"), "labels": (1, "ui"), "phi": (3, "f")}
KINDS = {"b": "booleans", "u": "counts", "i": "integers", "f": "floats"}
ANSWERS = ("phi", "logits", "features")  # what models answer about an example


@contextmanager
def whole(path):
    """Yield a temporary name in the same folder; it becomes `path` when the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path, text: str) -> None:
    """Write a text file whole."""
    with whole(path) as temporary:
        temporary.write_text(text)


def write_json(path, content) -> None:
    """Write a JSON file whole; NaN is refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_csv(path, table) -> None:
    """Write a data frame whole, with enough digits to be read back exactly."""
    with whole(path) as temporary:
        table.to_csv(temporary, index=False)


def write_h5(path, arrays: dict, attributes: dict, chunks: dict | None = None) -> None:
    """Write arrays, compressed, and attributes; `chunks` names the chunk shape of some arrays."""
    with whole(path) as temporary, h5py.File(temporary, "w", track_order=True) as file:
        file.attrs["format"] = FORMAT
        for key, value in attributes.items():
            file.attrs[key] = value if isinstance(value, (str, int, float)) else json.dumps(value)
        for name, array in arrays.items():
            array = np.asarray(array)
            settings = {"compression": "lzf", "shuffle": True} if array.size > 1024 else {}
            file.create_dataset(name, data=array, chunks=(chunks or {}).get(name), **settings)


@contextmanager
def opened(path):
    """Yield the HDF5 file, its format checked; an unreadable, damaged or foreign one is named."""
    try:
        with h5py.File(path, "r") as file:
            written = file.attrs.get("format", FORMAT)
            if written != FORMAT:
                raise ValueError(f"{path}: format {written}, this version reads {FORMAT}")
            yield file
    except OSError as error:
        raise ValueError(f"{path}: not a readable HDF5 file ({error})") from None


def read_h5(path, names=None) -> dict:
    """Return the named arrays (default: all) of an HDF5 file; a missing one is named."""
    with opened(path) as file:
        absent = [name for name in names or () if name not in file]
        if absent:
            raise ValueError(_absent(path, absent[0], file))
        return {name: file[name][()] for name in names or file}


def attributes(path) -> dict:
    """Return the attributes of an HDF5 file."""
    with opened(path) as file:
        return dict(file.attrs)


def write_weights(path, tensors: dict, metadata: dict) -> None:
    """Write NumPy arrays stacked on a leading model axis as safetensors."""
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    # One entry only: safetensors writes several in a random order, and no two files were the same.
    content = save(arrays, {"settings": json.dumps(metadata, sort_keys=True)})
    with whole(path) as temporary:
        temporary.write_bytes(content)


def read_weights(path) -> dict:
    """Return the stacked arrays of a safetensors file; a truncated one is named."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a readable safetensors file ({error})") from None


class Signals:
    """The signals of one cohort: its blocks' files seen as one, read in slices of examples.

    `member` (M, N), `labels` (N,), `role` (N,) and `evaluated` (M, N) are held in memory; `read`
    returns slices of `phi` (M, n, Q), `logits` (M, n, C) and whatever else the files hold. Answers
    to a probe are in files of their own, `probes`, which may cover the first models only.
    """

    def __init__(self, paths, probes=()):
        self.paths = [Path(path) for path in paths]
        self.probes = _by_probe(probes)
        first = self._small(self.paths[0])
        self.labels, self.role = first["labels"], first["role"]
        rows = [first, *(self._small(path) for path in self.paths[1:])]
        for path, row in zip(self.paths, rows, strict=True):
            if not np.array_equal(row["labels"], self.labels):
                raise ValueError(f"{path}: its labels differ from those of {self.paths[0]}")
            if row["answers"] != first["answers"]:
                raise ValueError(
                    f"{path}: its answers to an example have the shapes {row['answers']},"
                    f" those of {self.paths[0]} {first['answers']}"
                )
        self.member, self.evaluated = (
            rows[0][name] if len(rows) == 1 else np.concatenate([row[name] for row in rows])
            for name in ("member", "evaluated")
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Models and examples: (M, N)."""
        return self.member.shape

    def dimensions(self, name: str) -> tuple[int, ...]:
        """Return the shape of one array over all models, e.g. (M, N, Q) for phi."""
        path = self.probes.get(name, self.paths)[0]
        with opened(path) as file:
            if name not in file:
                raise ValueError(_absent(path, name, file))
            return (self.shape[0], *file[name].shape[1:])

    def read(self, name: str, examples: slice, last: int | None = None) -> np.ndarray:
        """Return one array for all models and a slice of examples, up to `last` queries."""
        parts = []
        for path in self.probes.get(name, self.paths):
            with opened(path) as file:
                index = (slice(None), examples, *([slice(last)] if last else []))
                part = file[name][index]
            if not np.isfinite(part).all():
                model, example = np.argwhere(~np.isfinite(part))[0][:2]
                raise ValueError(
                    f"{path}: {name} is not finite for model {model} of the file,"
                    f" example {examples.start + example}"
                )
            parts.append(part)
        return np.concatenate(parts)

    @staticmethod
    def _small(path):
        check_signals(path)
        with opened(path) as file:
            member = file["member"][()].astype(bool, copy=False)
            role = file["role"][()] if "role" in file else np.zeros(member.shape[1], np.uint8)
            pool = np.broadcast_to(role == 0, member.shape)
            return {
                "member": member,
                "labels": file["labels"][()],
                "role": role,
                "evaluated": file["evaluated"][()].astype(bool) if "evaluated" in file else pool,
                "answers": {name: file[name].shape[2:] for name in ANSWERS if name in file},
            }


def _by_probe(paths) -> dict[str, list[Path]]:
    """Return the files of each probe, in order; a file holds one array, named like its probe."""
    files = {}
    for path in map(Path, paths):
        with opened(path) as file:
            files.setdefault(next(iter(file)), []).append(path)
    return files


def check_signals(path) -> None:
    """Refuse a signals file whose arrays are missing or do not fit together, naming the file."""
    with opened(path) as file:
        for name, (dimensions, kinds) in SIGNALS.items():
            if name not in file:
                raise ValueError(_absent(path, name, file))
            array = file[name]
            if array.ndim != dimensions or array.dtype.kind not in kinds:
                raise ValueError(
                    f"{path}: {name} is {array.dtype} of {array.ndim} dimensions, expected"
                    f" {dimensions} dimensions of {' or '.join(KINDS[kind] for kind in kinds)}"
                )
        shape = file["member"].shape
        expected = {"labels": shape[1:], "role": shape[1:], "phi": shape, "logits": shape,
                    "evaluated": shape, "features": shape}  # fmt: skip
        for name, start in expected.items():
            if name in file and file[name].shape[: len(start)] != start:
                raise ValueError(
                    f"{path}: {name} has shape {file[name].shape}, but member has {shape}"
                    " (models, examples)"
                )
        labels = file["labels"][()]
        classes = file["logits"].shape[-1] if "logits" in file else np.inf
        if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
            raise ValueError(
                f"{path}: labels are {labels.min()} to {labels.max()}, but logits have"
                f" {classes} classes, counted from 0"
            )


def _absent(path, name, file):
    return f"{path}: has no {name!r}; it holds {', '.join(file) or 'nothing'}"
