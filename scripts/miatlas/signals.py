"""Signals: what a cohort's models answer to the queries."""

import numpy as np
import torch

from miatlas import augmentation
from miatlas.statistics import logit_scaled_confidence


def extract(
    group, x, labels, queries: dict, stacked: bool, batch: int = 1000, progress=None
) -> dict:
    """Return what the K models of an ensemble answer about N examples.

    x: (N, ...) float32 on the models' device; labels: (N,) int64 array. `queries`: count, mirror,
    logits. Returns phi (K, N, Q) float32 and logits (K, N, C) float32 of the untouched query (or
    (K, N, Q, C) of all). Models answer in evaluation mode (methods §1).
    """
    specs = augmentation.queries(
        queries["count"], tuple(x.shape[1:]), mirror=queries["mirror"], shift=queries["shift"]
    )
    parts = [group] if stacked else [group.part(slice(k, k + 1)) for k in range(group.models)]
    phi, logits = [], []
    for part in parts:
        answers = [
            _answers(part, x[start : start + batch], labels[start : start + batch], specs)
            for start in range(0, len(x), batch)
        ]
        phi.append(np.concatenate([p for p, _ in answers], axis=1))
        kept = slice(None) if queries["logits"] == "all" else 0
        logits.append(np.concatenate([z[:, :, kept] for _, z in answers], axis=1))
        if progress:
            progress(part.models)
    return {"phi": np.concatenate(phi), "logits": np.concatenate(logits)}


def _answers(part, x, labels, specs):
    """Return phi (K, n, Q) and logits (K, n, Q, C) of one batch under all queries."""
    answers = [part.answer(augmentation.query(x, spec)).float().cpu().numpy() for spec in specs]
    logits = np.stack(answers, axis=2)
    phi = logit_scaled_confidence(logits, np.asarray(labels)[None, :, None])
    return phi.astype(np.float32), logits


def standardised(x: np.ndarray, scale: float, mean, deviation, device) -> torch.Tensor:
    """Return the inputs as the models see them: scaled, each channel standardised.

    x: uint8 or float32 images (N, C, H, W), or features (N, d); mean, deviation: (C,), or (1,).
    """
    tensor = torch.as_tensor(x).to(device, torch.float32) / scale
    shape = (-1, 1, 1) if tensor.dim() == 4 else (-1,)
    mean, deviation = (torch.as_tensor(v).to(tensor).view(shape) for v in (mean, deviation))
    return (tensor - mean) / (deviation + 1e-8)
