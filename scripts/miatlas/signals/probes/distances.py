"""Distances in a model's feature space (Long et al. 2020): how far an example is from the rest."""

import numpy as np
import torch

AT_ONCE = {"cpu": 2**24, "cuda": 2**28}  # similarities held at once


def measure(group, x, labels) -> np.ndarray:
    """Return the cosine distance of each example to its nearest other one: (K, N) float32.

    group: K models, in evaluation mode; x (N, ...) float32, standardised, all examples of the
    population; labels are not used. Distances lie in [0, 2], 0 for an example that is there twice;
    an example without any active feature is at 1 from all others. Of one model after the other all
    features (N, d) are held, and AT_ONCE similarities. Raises ValueError if the network has no
    features, or if there is no other example.
    """
    if len(x) < 2:
        raise ValueError(f"the nearest other example of {len(x)} does not exist")
    bodies, distances = group.features(), np.empty((group.models, len(x)), np.float32)
    for k in range(group.models):
        body = bodies.part(slice(k, k + 1))
        parts = [body.answer(x[rows])[0].float() for rows in body.slices(len(x), x)]
        distances[k] = nearest(torch.cat(parts)).cpu().numpy()
    return distances


def nearest(features: torch.Tensor) -> torch.Tensor:
    """Return 1 - max_{j≠i} cos(f_i, f_j), (N,), of features f (N, d); cos(0, f) is 0."""
    units = torch.nn.functional.normalize(features)
    active = units.any(dim=1)
    step = max(1, AT_ONCE.get(features.device.type, AT_ONCE["cuda"]) // len(units))
    parts = []
    for start in range(0, len(units), step):
        own = units[start : start + step]
        similarity = own @ units.T
        rows = torch.arange(len(own), device=own.device)
        similarity[rows, start + rows] = -torch.inf
        other = similarity.argmax(dim=1)
        # |u - v|² / 2 = 1 - u·v, without the digits that 1 - u·v loses for near neighbours
        distance = (own - units[other]).square().sum(dim=1) / 2
        defined = active[start : start + step] & active[other]
        parts.append(torch.where(defined, distance, torch.ones_like(distance)))
    return torch.cat(parts)
