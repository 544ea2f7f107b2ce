"""Files of HDF5 and safetensors, checked when read."""

import json
import math
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from io import FileIO

import h5py
import numpy as np

from miatlas.running.files import whole

FORMAT = 1
SLICE = 2048  # examples in a chunk of signals, of all models: what readers take at once
PART = 2**16  # examples of which one number each is read or written at once
PACKED = {"compression": "lzf", "shuffle": True}


@contextmanager
def new_h5(path, attributes: dict):
    """Yield a new HDF5 file to be filled, which becomes `path` when the block succeeds."""
    with (
        whole(path) as temporary,
        _Disk(temporary, "w+") as disk,
        h5py.File(disk, "w", track_order=True) as file,
    ):
        file.attrs["format"] = FORMAT
        for key, value in attributes.items():
            file.attrs[key] = value if isinstance(value, (str, int, float)) else json.dumps(value)
        yield file


class _Disk(FileIO):
    """A file that tells of its first failed write when it is closed: HDF5 crashes where one fails.

    Whatever HDF5 says after it follows from it, and is not told.
    """

    failure = None

    def __exit__(self, *error):
        super().__exit__(*error)
        if self.failure:
            raise self.failure

    def write(self, data):
        rest = memoryview(data).cast("B")
        end = self.tell() + len(rest)
        while len(rest) and not self.failure:
            try:
                rest = rest[super().write(rest) :]
            except OSError as error:
                self.failure = error
        self.seek(end)
        return len(data)

    def truncate(self, size=None):
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size


def write_h5(path, arrays: dict, attributes: dict, chunks: dict | None = None) -> None:
    """Write arrays, and attributes; `chunks` names the chunk shape of some arrays.

    Float arrays with a chunk shape, which are models' answers, are not compressed. Phi and logits
    would be a tenth smaller, and would take three times as long to read; those of a single one of
    50 models 40 times as long, as whole chunks would be unpacked for them.
    """
    with new_h5(path, attributes) as file:
        fill(file, arrays, chunks or {})


def fill(file, arrays: dict, chunks: dict) -> None:
    """Write arrays to an open file, as `write_h5` does."""
    for name, array in arrays.items():
        array, chunk = np.asarray(array), chunks.get(name)
        file.create_dataset(name, data=array, **_layout(array.shape, array.dtype, chunk))


def fill_by_slices(file, n: int, slices: Iterable[tuple[slice, Callable[[], dict]]]) -> None:
    """Write arrays (K, n, ...) to an open file by slices of their n examples, as they are made.

    `slices` yields where in the examples a slice is, and what returns its arrays (K, s, ...) by
    name; slices of SLICE examples are whole chunks, each written once. A thread writes a slice
    while the next one is made: h5py lets others run while it writes. No more than
    one slice waits, and what fails in the thread is raised here. Whoever makes slices on a GPU
    should return as soon as all work is queued: the thread waits for it, the GPU for nothing.
    """
    with ThreadPoolExecutor(1) as writer:
        last = Future()
        last.set_result(None)
        for where, arrays in slices:
            last.result()
            last = writer.submit(_fill_slice, file, n, where, arrays)
        last.result()


def _fill_slice(file, n, where, arrays):
    for name, array in arrays().items():
        if name not in file:
            shape = (array.shape[0], n, *array.shape[2:])
            layout = _layout(shape, array.dtype, _of_a_slice(shape))
            file.create_dataset(name, shape, array.dtype, **layout)
        file[name][:, where] = array


def by_slices(arrays: dict) -> dict:
    """Return the chunk shapes of signals: all models of the file, a slice of the examples."""
    return {name: _of_a_slice(array.shape) for name, array in arrays.items() if array.ndim >= 2}


def _of_a_slice(shape):
    return (shape[0], min(SLICE, shape[1]), *shape[2:])


def _layout(shape, dtype, chunk):
    """Return how an array is stored; answers, which are floats in chunks, are not packed."""
    answers = chunk and dtype.kind == "f"
    packed = PACKED if math.prod(shape) > 1024 and not answers else {}
    return {"chunks": chunk, **packed}


def by_example(file, name: str, shape: tuple[int, int], dtype, fill=None):
    """Return a new dataset (T, N) of an open file, to be written row by row, slice by slice."""
    chunk = (1, min(PART, shape[1]))
    return file.create_dataset(name, shape, dtype, chunks=chunk, fillvalue=fill, **PACKED)


@contextmanager
def opened(path):
    """Yield the HDF5 file, its format checked; an unreadable, damaged or foreign one is named."""
    try:
        with h5py.File(path, "r") as file:
            written = _format(file)
            if written != FORMAT:
                raise ValueError(f"{path}: format {written}, this version reads {FORMAT}")
            yield file
    except OSError as error:
        raise ValueError(f"{path}: not a readable HDF5 file ({error})") from None


def _format(file):
    """Return the format that a file of ours says; other software's attributes say nothing."""
    try:
        written = file.attrs.get("format", FORMAT)
    except (TypeError, ValueError, OSError, RuntimeError):  # of a type that h5py cannot read
        return FORMAT
    return written if isinstance(written, (int, np.integer)) else FORMAT


def read_h5(path, names=None) -> dict:
    """Return the named arrays (default: all) of an HDF5 file; a missing one is named."""
    with opened(path) as file:
        absent = [name for name in names or () if name not in file]
        if absent:
            raise ValueError(absence(path, absent[0], file))
        return {name: file[name][()] for name in names or file}


def absence(path, name, file) -> str:
    """Return what is said of an array that a file lacks."""
    return f"{path}: has no {name!r}; it holds {', '.join(file) or 'nothing'}"


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
