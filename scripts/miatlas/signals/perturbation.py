"""Perturbed points (after Ali et al. 2023): near an example, where its members are told best."""

import torch
from torch.nn.functional import softplus

from miatlas.signals.probes.confidence import phi

STRIDE = 2.5  # radii that all steps together could go (Madry et al. 2018)


def perturb(groups, x, y, weights, *, radius: float, steps: int) -> torch.Tensor:
    """Return points x + δ (n, ...), |δ|∞ ≤ radius, at which Σ_m weights[m] loss_m is low.

    groups: ensembles of R models in all, in the order of weights (R, n); x (n, ...), labels y (n,).
    Projected descent by the gradient's sign, from δ = 0 on; of all points passed, each example's
    best one is returned, so that none is worse than x.
    """
    best, delta = x.clone(), torch.zeros_like(x)
    lowest = torch.full((len(x),), torch.inf, device=x.device)
    for step in range(steps + 1):
        value, gradient = objective(groups, x + delta, y, weights)
        better = value < lowest
        lowest = torch.where(better, value, lowest)
        best[better] = (x + delta)[better]
        if step < steps:
            delta = delta - STRIDE * radius / steps * gradient.sign()
            delta = delta.clamp(-radius, radius)
    return best


def objective(groups, x, y, weights) -> tuple[torch.Tensor, torch.Tensor]:
    """Return Σ_m weights[m] loss_m (n,) at x (n, ...), and its gradient (n, ...)."""
    value, gradient, first = torch.zeros(len(x), device=x.device), torch.zeros_like(x), 0
    for group in groups:
        group.network.eval()
        own = weights[first : first + group.models]
        first += group.models
        for rows in group.slices(len(x), x):
            here = x[rows].detach().requires_grad_()
            with torch.enable_grad():
                outputs = group(here.expand(group.models, *here.shape)).float()
                part = (own[:, rows] * softplus(-phi(outputs, y[rows]))).sum(0)
                gradient[rows] += torch.autograd.grad(part.sum(), here)[0]
            value[rows] += part.detach()
    return value, gradient


def weighed(refs_in: torch.Tensor, refs_out: torch.Tensor) -> torch.Tensor:
    """Return the weights (R, n) of mean IN loss - mean OUT loss, of masks (R, n)."""
    return refs_in / refs_in.sum(0) - refs_out / refs_out.sum(0)


def answered(groups, x, y) -> torch.Tensor:
    """Return phi (R, n) of all models at x (n, ...)."""
    parts = [
        torch.cat([phi(g.answer(x[rows]).double(), y[rows]) for rows in g.slices(len(x), x)], 1)
        for g in groups
    ]
    return torch.cat(parts).float()
