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


PROGRAMS = {  # archives that hold more than weights: a member of theirs, and what they are
    "constants.pkl": "TorchScript (torch.jit.save)",
    "archive_format": "torch.export (.pt2)",
    "serialized_exported_program.json": "torch.export (.pt2)",
}


def _read_archive(path):
    _refuse_programs(path)
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


def _refuse_programs(path):
    """Refuse an archive that is a program: loading one runs or unpickles what its maker chose."""
    ends = {member.filename.rsplit("/", 1)[-1] for member in members(path)}
    for end, kind in PROGRAMS.items():
        if end in ends:
            raise ValueError(
                f"{path}: a program of {kind}, which can run code when it is loaded: not read. Save"
                " network.state_dict() and give the network's code, or give the model's"
                " probabilities (cohorts: signals: answers.csv)"
            )


def _asked_for(error):
    """Return what a refused pickle has asked for, out of torch's long advice."""
    named = re.search(r"GLOBAL (\S+)", str(error))
    return named[1] if named else str(error).strip().splitlines()[-1][:200]
