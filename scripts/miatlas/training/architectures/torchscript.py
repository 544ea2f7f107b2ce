"""Programs of TorchScript (torch.jit.save): targets whose code is not there, asked and not trained.

A released cohort's `weights` are then the programs themselves, a file a model. Shadow models have a
recipe of their own.
"""

from functools import partial
from typing import Literal

from miatlas.training.programs import Program

KIND = "program"
STACKABLE = False


def build(
    shape: tuple[int, ...], classes: int,
    *,
    output: int | str | None = None,
    answers: Literal["logits", "probabilities"] = "logits",
):  # fmt: skip
    """Return what makes a `Program` that answers logits (B, C) of what `torch.jit.load` returns.

    `output`: which of several outputs is read, by its place (from 0) or its key (default: the only
    one, or that of the key logits). `answers`: what it tells; probabilities are clipped to
    [1e-6, 1 - 1e-6] before the logarithm. Where there are two classes one number is enough: the
    logit, or the probability, of class 1.
    """
    return partial(Program, classes=classes, output=output, answers=answers)
