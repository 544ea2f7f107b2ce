"""Weights that others have saved, read without running anything.

Two kinds of file are read: safetensors, and what `torch.save` writes of tensors in dictionaries.
The latter is a pickle in an archive. It is read by the unpickler of torch that knows tensors and
nothing else (`weights_only`), once the archive is seen to hold no more than its size on the disk,
and with no more memory than that can need: neither code that is hidden in it nor numbers that it
claims to hold ever come to anything.
"""

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

from miatlas.running.foreign_files import check_archive, little_memory, members, one_line


def read(path: Path) -> dict:
    """Return what a weights file holds, dictionaries and all; ValueError names one that it cannot.

    Nothing in the file is run. Memory is bounded by the size of the file on the disk.
    """
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    with open(path, "rb") as file:
        start = file.read(9)
    try:
        if start[8:] == b"{":
            return _read_safetensors(path)
        if zipfile.is_zipfile(path):
            return _read_archive(path)
    except (MemoryError, OSError) as error:
        raise ValueError(f"{path}: not readable: {one_line(error)}") from None
    raise ValueError(
        f"{path}: neither safetensors nor an archive of torch.save (PyTorch 1.6 or newer): damaged,"
        " or save network.state_dict() again"
    )


def _read_safetensors(path):
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        with little_memory(path):
            return load_file(path)
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"{path}: not readable safetensors: {one_line(error)}") from None


EXPORTED = (
    "torch.export (.pt2), which torch reads by unpickling what stands in it: not read. Make"
    " TorchScript of it where it is trusted (torch.jit.trace(program.module(), x).save(...)), or"
    " give the network's code and state_dict()"
)
TORCHSCRIPT = (
    "TorchScript (torch.jit.save), and no weights of a network: it is asked by a recipe of its own"
    " (architecture: {name: torchscript}), or give the network's code and state_dict()"
)
PROGRAMS = {  # archives that hold more than weights: a member of theirs, what they are
    "archive_format": EXPORTED,
    "serialized_exported_program.json": EXPORTED,
    "constants.pkl": TORCHSCRIPT,
}


def program_of(path: Path) -> str | None:
    """Return what program an archive is, and what helps; None if it holds no more than weights."""
    ends = {member.filename.rsplit("/", 1)[-1] for member in members(path)}
    return next((what for end, what in PROGRAMS.items() if end in ends), None)


def _read_archive(path):
    if what := program_of(path):
        raise ValueError(f"{path}: a program of {what}")
    check_archive(path, "data.pkl", "torch.save")
    try:
        with little_memory(path):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path}: holds more than weights ({_asked_for(error)}), and nothing of it was run:"
            " save network.state_dict() alone, or safetensors"
        ) from None
    except Exception as error:  # a damaged archive fails in many ways
        raise ValueError(f"{path}: not readable: {one_line(error)}") from None
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        raise ValueError(f"{path}: holds a {kind}, not a state dict: save network.state_dict()")
    return content


def _asked_for(error):
    """Return what a refused pickle has asked for, out of torch's long advice."""
    named = re.search(r"GLOBAL (\S+)", str(error))
    return named[1] if named else str(error).strip().splitlines()[-1][:200]
