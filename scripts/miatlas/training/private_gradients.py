"""The sum of examples' gradients, each clipped: what DP-SGD takes of a batch.

There are three ways to it, the same up to rounding:

- A chain of simple layers, K models at once (`stacked_layers`): of the gradient of a linear layer,
  δ x^T for an example, the norm is |δ| |x|, so that no such gradient is ever formed ("ghost norms",
  Goodfellow 2015; Li et al. 2022), and the clipped sum is a product as any other.
- Networks of layers that `recorded_layers` knows, one model after the other: one backward pass
  gives every layer's δ, from which each example's gradient of that layer follows.
- Any other network, one model after the other: `torch.func` differentiates each example's loss.

The last two hold the gradients of so many examples at a time that they fit into PIECE numbers.
"""

import torch
from torch.func import functional_call, grad_and_value, vmap

from miatlas.training import recorded_layers, stacked_layers
from miatlas.training.recorded_layers import full

PIECE = 2**25  # numbers of examples' gradients that are held at once (float32: 128 MiB)


def clipped_sums(group, x, y, there, clip: float | None, loss):
    """Return the sums by name (K, ...), each example's loss (K, B), and the logits (K, B, C).

    x (K, B, ...), y (K, B) or (K, B, C); what is not `there` (K, B) counts nothing. `clip`: the
    largest norm of an example's gradient, over all parameters; None: any.
    """
    if group.layers and not torch.is_autocast_enabled(x.device.type):
        return _of_chains(group, x, y, there, clip, loss)
    one = [
        _of_one(group.part(slice(k, k + 1)), x[k], y[k], there[k], clip, loss)
        for k in range(group.models)
    ]
    sums = {name: torch.stack([sums[name] for sums, _, _ in one]) for name in group.parameters}
    return sums, torch.stack([losses for _, losses, _ in one]), torch.stack([z for _, _, z in one])


def factors(squares, clip: float | None):
    """Return what gradients with these squared norms are multiplied by: min(1, C / norm)."""
    if clip is None:
        return torch.ones_like(squares)
    return (clip / squares.sqrt()).clamp(max=1)


def _of_chains(group, x, y, there, clip, loss):
    logits, linear = stacked_layers.recorded(group.layers, group.parameters, x)
    losses = loss(logits, y)
    outputs = [output for _, _, output in linear]
    deltas = torch.autograd.grad((losses * there).sum(), outputs)
    squares = sum(
        (x.square().sum(-1) + 1) * delta.square().sum(-1)  # of the weights, and of the bias
        for (_, x, _), delta in zip(linear, deltas, strict=True)
    )
    scale = factors(squares, clip).unsqueeze(-1)  # (K, B, 1)
    sums = {}
    for (name, x, _), delta in zip(linear, deltas, strict=True):
        delta, weight = delta * scale, f"{name}.weight"
        sums[weight] = stacked_layers.gradient_of_weight(x, delta, group.parameters[weight])
        sums[f"{name}.bias"] = delta.sum(1)
    return sums, losses.detach(), logits.detach()


def _of_one(one, x, y, there, clip, loss):
    """Return the sums, losses (B,) and logits (B, C) of one model, its examples in pieces."""
    numbers = sum(p.numel() for p in one.parameters.values())
    step = max(1, PIECE // numbers)
    found = [
        _of_piece(one, *(t[start : start + step] for t in (x, y, there)), clip, loss)
        for start in range(0, len(x), step)
    ]
    sums = {name: sum(sums[name] for sums, _, _ in found) for name in one.parameters}
    return sums, torch.cat([losses for _, losses, _ in found]), torch.cat([z for *_, z in found])


def _of_piece(one, x, y, there, clip, loss):
    gradients, losses, logits = _examples(one, x, y, loss)
    with torch.autocast(x.device.type, enabled=False):  # clipped and summed in full
        squares = sum(g.flatten(1).square().sum(1) for g in gradients.values())  # (B,)
        scale = factors(squares, clip) * there
        sums = {n: torch.tensordot(scale, g, 1) for n, g in gradients.items()}
    return sums, losses, logits


def _examples(one, x, y, loss):
    """Return each example's own gradients by name (B, ...), its loss (B,) and logits (B, C)."""
    state = {n: t.detach().squeeze(0) for n, t in (one.parameters | one.buffers).items()}
    known = recorded_layers.gradients(one, state, x, y, loss)
    return known or differentiated(one, state, x, y, loss)


def differentiated(one, state: dict, x, y, loss):
    """Return what `_examples` does, by `torch.func`, for any network that answers by example."""
    parameters = {name: state[name] for name in one.parameters}
    buffers = {name: state[name] for name in one.buffers}

    def of_example(parameters, x, y):
        logits = full(functional_call(one.network, (parameters, buffers), (x[None],)))
        return loss(logits[None], y[None, None]).sum(), logits[0]

    each = grad_and_value(of_example, has_aux=True)
    of_batch = vmap(each, (None, 0, 0), randomness="different")  # dropout: drawn for each example
    gradients, (losses, logits) = of_batch(parameters, x, y)
    return {n: full(g.detach()) for n, g in gradients.items()}, losses.detach(), logits.detach()
