"""Programs of TorchScript, which hold a network and its weights: read, kept and asked.

They are read by torch's own reader in C++, which knows the types of TorchScript and imports nothing
of Python's. What a program does when it is asked, its maker chose.
"""

import io
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from miatlas.running.foreign_files import check_archive, little_memory, one_line
from miatlas.training.ensemble import slices
from miatlas.training.outputs import logits_of
from miatlas.training.weight_files import EXPORTED, program_of

CODE = 2**24  # bytes that the code in a file may have once it is unpacked
SMALLEST = 1e-6  # probability that is told from 0
INSTEAD = "leave the softmax or sigmoid out, or say so (architecture: answers: probabilities)"


def read(path) -> np.ndarray:
    """Return the bytes of a TorchScript file (n,) uint8, once it is seen to be a sound one.

    Nothing in it is called. ValueError in one line, naming the file, refuses one that is damaged,
    no program, claims more than it holds, or whose weights are not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: damaged, or no TorchScript: torch.jit.trace(...).save(...)")
    if program_of(path) == EXPORTED:
        raise ValueError(f"{path}: a program of {EXPORTED}")
    check_archive(path, "constants.pkl", "TorchScript (torch.jit.save)", packed=CODE)
    try:
        with little_memory(path):
            content = path.read_bytes()
            module = _loaded(content, "cpu")
    except Exception as error:  # a damaged file fails in many ways
        raise ValueError(f"{path}: not readable TorchScript: {one_line(error)}") from None
    for name, tensor in module.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{path}: {name} is not finite")
    return np.frombuffer(content, np.uint8)


def _loaded(content: bytes, device):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # that it is to go
        return torch.jit.load(io.BytesIO(content), map_location=device)


class Program(nn.Module):
    """A program that answers logits (B, C) about x (B, ...), in evaluation mode and float32."""

    def __init__(self, module, classes: int, output: int | str | None, answers: str):
        super().__init__()
        self.module, self.classes = module.float().eval(), classes
        self.output, self.answers = output, answers

    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, C); ValueError says what the program answers instead."""
        with torch.jit.optimized_execution(False):  # which calls twice before it has settled
            answer = _picked(self.module(x), self.output)
        if self.answers == "logits":
            return logits_of(answer, len(x), self.classes)
        chances = answer.float()
        if self.classes == 2 and chances.numel() == len(x):
            one = chances.reshape(-1, 1)
            chances = torch.cat([1 - one, one], 1)
        return logits_of(chances.clamp(SMALLEST, 1 - SMALLEST).log(), len(x), self.classes)


def _picked(answer, output) -> torch.Tensor:
    """Return the one of a program's outputs that is named, or the only one there is."""
    if isinstance(answer, torch.Tensor) and output is None:
        return answer
    known = dict(enumerate(answer)) if isinstance(answer, (tuple, list)) else {}
    known |= answer if isinstance(answer, Mapping) else getattr(answer, "_asdict", dict)()
    found = known.get("logits" if output is None else output)
    if isinstance(found, torch.Tensor):
        return found
    there = ", ".join(map(str, known)) or "one alone"
    asked = "several outputs" if output is None else f"no output {output!r} of numbers"
    raise ValueError(f"answers {asked}: name its logits (architecture: output: one of {there})")


class Programs:
    """K programs, asked one after the other as an ensemble of networks is."""

    def __init__(self, contents: list, programs: list[Program]):
        """contents: the files' bytes, uint8."""
        self.contents, self.programs, self.models = contents, programs, len(programs)

    @classmethod
    def of(cls, contents: list, make, device) -> "Programs":
        """Return the programs of some files' bytes; `make` is what `torchscript.build` returns."""
        loaded = [_loaded(bytes(content), device) for content in contents]
        return cls(contents, [make(module).to(device) for module in loaded])

    @classmethod
    def from_weights(cls, weights: dict, make, device) -> "Programs":
        """Return the programs that `weights` wrote."""
        return cls.of([weights[f"program.{k}"] for k in range(len(weights))], make, device)

    def weights(self) -> dict[str, np.ndarray]:
        """Return the files as arrays of bytes, to be kept as weights are."""
        return {f"program.{k}": np.asarray(one) for k, one in enumerate(self.contents)}

    def answer(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (K, B, C) of x (B, ...)."""
        return torch.stack([program(x) for program in self.programs])

    def compiled(self, x: torch.Tensor, n: int, queries: int) -> "Programs":
        """Return themselves: a program is compiled already, by whoever made it."""
        return self

    def slices(self, n: int, x: torch.Tensor) -> list[slice]:
        """Cut n of the examples x (N, ...) into slices that a program answers at once."""
        return slices(n, x)

    def part(self, models: slice) -> "Programs":
        """Return some of the programs, on the same memory."""
        return Programs(self.contents[models], self.programs[models])
