"""Tokens (Shi et al. 2024, Zhang et al. 2025): how likely a language model finds each of a text."""

import numpy as np
import torch


def measure(group, x, labels) -> np.ndarray:
    """Return log p(x_t), and mean and deviation of log p(v), v ~ p: (K, N, L, 3) float32.

    group: K language models, in evaluation mode; x (N, L) ids of tokens; labels are not used. p is
    the model's law of token t after those before it, logarithms are natural. Raises ValueError if
    the network has no `token_statistics`.
    """
    asked, (examples, length) = group.token_statistics(), x.shape
    parts = [asked.answer(x[rows]).float().cpu() for rows in asked.slices(examples, x)]
    return torch.cat(parts, dim=1).view(group.models, examples, length, 3).numpy()
