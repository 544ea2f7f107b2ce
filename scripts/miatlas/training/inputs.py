"""Inputs as the models see them, and how many classes there are."""

import json

import numpy as np
import torch


def standardised(x: np.ndarray, scale: float, mean, deviation, device) -> torch.Tensor:
    """Return the inputs as the models see them: scaled, standardised by channel or column.

    x: uint8 or float32 images (N, C, H, W), or features (N, d); mean, deviation: (C,), (d,), (1,).
    """
    tensor = torch.as_tensor(x).to(device, torch.float32) / scale
    shape = (-1, 1, 1) if tensor.dim() == 4 else (-1,)
    mean, deviation = (torch.as_tensor(v).to(tensor).view(shape) for v in (mean, deviation))
    return tensor.sub_(mean).div_(deviation + 1e-8)


def class_count(facts: dict, labels: np.ndarray) -> int:
    """Return how many classes a population has, by its file's attributes: not all need examples."""
    return max(len(json.loads(facts.get("class_names", "[]"))), int(labels.max()) + 1)
