"""Labels of noisy copies (Choquette-Choo et al. 2021): how often an example keeps its own label."""

from typing import Annotated

import numpy as np
import torch

from miatlas.options import positive
from miatlas.signals.probes import noise


def measure(
    group, x, labels,
    *,
    copies: Annotated[int, positive] = 100,
    deviations: list[float] = [0.03, 0.1, 0.3, 1.0],
) -> np.ndarray:  # fmt: skip
    """Return the share of copies x + σε whose likeliest class is the label: (K, N, S) float32.

    `copies`: how many there are of each example; `deviations`: σ, each of its own share. The copies
    are those of the probe `noise`; of the models' answers nothing is looked at but the label. It
    stands for the distance of the example from the decision boundary, without a search for that.
    Raises ValueError if a σ is not positive.
    """
    noise.check(deviations)
    y = torch.as_tensor(labels, device=x.device)
    # They stay on a GPU until the end: while it answers, the next noise is drawn.
    shares = x.new_empty(group.models, len(x), len(deviations), dtype=torch.float32)
    for rows, here, drawn in noise.batches(x, copies):
        for s, sigma in enumerate(deviations):
            noisy = (here[:, None] + sigma * drawn).flatten(0, 1)  # (n T, ...)
            right = answers(group, noisy) == y[rows].repeat_interleave(copies)
            right = right.view(group.models, len(here), copies)
            shares[:, rows, s] = right.float().mean(-1)
    return shares.cpu().numpy()


def answers(group, x) -> torch.Tensor:
    """Return the likeliest class (K, B) of x (B, ...); of equal ones the first."""
    parts = [group.answer(x[rows]).argmax(-1) for rows in group.slices(len(x), x)]
    return torch.cat(parts, dim=1)
