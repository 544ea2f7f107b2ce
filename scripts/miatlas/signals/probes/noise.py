"""Noisy copies (Jayaraman et al. 2021, MERLIN): how often noise raises the loss of an example."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch

from miatlas.options import positive
from miatlas.running.seeds import torch_seed
from miatlas.signals.probes.confidence import phi

AT_ONCE = 2**22  # numbers of noise held at once


def measure(
    group, x, labels,
    *,
    copies: Annotated[int, positive] = 100,
    deviations: list[float] = [0.03, 0.1, 0.3, 1.0],
) -> np.ndarray:  # fmt: skip
    """Return the share of copies x + σε whose loss exceeds that of x: (K, N, S) float32.

    `copies`: how many there are of each example.
    group: K models; x (N, ...) float32, standardised, all examples of the population; labels (N,);
    one share for each σ of `deviations`, in units of the standardised inputs: 0.1 is a tenth of a
    channel's deviation. T = 100 is the paper's; its σ = 0.01, of inputs in [0, 1], is about 0.04
    here, and 1 is noise as large as the data. Which is best depends on data and model, and the
    attack tunes it. Raises ValueError if a σ is not positive.

    ε is standard normal, and the same for every model, every block and every σ.
    """
    check(deviations)
    y = torch.as_tensor(labels, device=x.device)
    # They stay on a GPU until the end: while it answers, the next noise is drawn.
    shares = x.new_empty(group.models, len(x), len(deviations), dtype=torch.float32)
    for rows, here, drawn in batches(x, copies):
        before = answers(group, here, y[rows])[..., None]  # (K, n, 1)
        for s, sigma in enumerate(deviations):
            noisy = (here[:, None] + sigma * drawn).flatten(0, 1)  # (n T, ...)
            after = answers(group, noisy, y[rows].repeat_interleave(copies))
            exceeds = after.view(group.models, len(here), copies) < before  # phi falls: loss rises
            shares[:, rows, s] = exceeds.float().mean(-1)
    return shares.cpu().numpy()


def check(deviations: list[float]) -> None:
    """Raise ValueError if there are no deviations, or one that is not positive."""
    if not deviations or min(deviations) <= 0:
        raise ValueError(f"deviations are {deviations}, but they must be some positive numbers")


def batches(x: torch.Tensor, copies: int) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor]]:
    """Yield slices of the examples, the examples (n, ...), and their ε (n, copies, ...)."""
    step = max(1, AT_ONCE // (copies * x[0].numel()))
    for start in range(0, len(x), step):
        here = x[start : start + step]
        rows = slice(start, start + len(here))
        yield rows, here, draw(start, len(here), (copies, *x.shape[1:])).to(x)


def draw(first: int, count: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Return ε of the examples first, first + 1, ...: (count, *shape).

    Each example has a stream of its own, so that slices do not matter, and it is drawn on the CPU,
    so that the device does not. The seed is fixed: as the augmented queries are, the copies are
    part of the question.
    """
    generator, noise = torch.Generator(), torch.empty(count, *shape)
    for i, copies in enumerate(noise, start=first):
        copies.normal_(generator=generator.manual_seed(torch_seed(0, "noisy copies", i)))
    return noise


def answers(group, x, y) -> torch.Tensor:
    """Return phi (K, B) float64 of x (B, ...) with labels y (B,)."""
    parts = [phi(group.answer(x[rows]).double(), y[rows]) for rows in group.slices(len(x), x)]
    return torch.cat(parts, dim=1)
