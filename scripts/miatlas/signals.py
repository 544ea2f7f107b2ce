"""Signals: what a cohort's models answer to the queries."""

import numpy as np

from miatlas import augmentation
from miatlas.statistics import logit_scaled_confidence


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
    parts = [slice(None)] if stacked else [slice(k, k + 1) for k in range(group.models)]
    for models in parts:
        part = group.part(models)
        for where in part.slices(len(x), x):
            for query, spec in enumerate(specs):
                answer = part.answer(augmentation.query(x[where], spec)).float()
                answer = (answer / queries["temperature"]).cpu().numpy()
                phi[models, where, query] = logit_scaled_confidence(answer, labels[None, where])
                if query < kept:
                    logits[models, where, query] = answer
    return {"phi": phi, "logits": logits if queries["logits"] == "all" else logits[:, :, 0]}
