"""Signals: what a cohort's models answer to the queries."""

import numpy as np
import torch

from miatlas import augmentation
from miatlas.probes.confidence import phi as phi_of


def extract(group, x, labels, queries: dict, stacked: bool) -> dict:
    """Return what the K models of an ensemble answer about N examples.

    x: (N, ...) float32 on the models' device; labels: (N,) int64 array. `queries`: count, mirror,
    shift, logits, temperature. Returns phi (K, N, Q) float32 and logits (K, N, C) float32 of the
    untouched query (or (K, N, Q, C) of all). Models answer in evaluation mode (methods §1).
    """
    specs = augmentation.queries(
        queries["count"], tuple(x.shape[1:]), mirror=queries["mirror"], shift=queries["shift"]
    )
    kept = len(specs) if queries["logits"] == "all" else 1
    phi = np.empty((group.models, len(x), len(specs)), np.float32)
    logits = np.empty((*phi.shape[:2], kept, group.answer(x[:1]).shape[-1]), np.float32)
    y = torch.as_tensor(labels, device=x.device)
    parts = [slice(None)] if stacked else [slice(k, k + 1) for k in range(group.models)]
    for models in parts:
        part = group.part(models)
        for where in part.slices(len(x), x):
            answers = _answers(part, x[where], specs, queries["temperature"])
            # on the device, in float64, and fetched once a slice: a GPU is not waited for
            confidences = [phi_of(answer.double(), y[where]).float() for answer in answers]
            phi[models, where] = torch.stack(confidences, 2).cpu().numpy()
            logits[models, where] = torch.stack(answers[:kept], 2).cpu().numpy()
    return {"phi": phi, "logits": logits if queries["logits"] == "all" else logits[:, :, 0]}


def _answers(group, x, specs, temperature):
    """Return the logits (K, n, C) of every query, divided by the temperature."""
    return [group.answer(augmentation.query(x, spec)).float() / temperature for spec in specs]
