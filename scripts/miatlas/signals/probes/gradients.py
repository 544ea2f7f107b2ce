"""Gradient norms (carlini2022 App. A-B; Nasr et al. 2019): what an example would change a model."""

import numpy as np
import torch
from torch.func import functional_call, grad_and_value, vmap

from miatlas.signals.probes.confidence import phi

AT_ONCE = {"cpu": 2**24, "cuda": 2**28}  # numbers of gradients held at once


def measure(group, x, labels) -> np.ndarray:
    """Return the L1, L2 and Linf norm of ∇loss in all parameters: (K, N, 3) float32.

    group: K models, in evaluation mode; x (N, ...) float32, standardised; labels (N,). The loss is
    the example's cross-entropy alone, without weight decay or what else the training added. Held at
    once are the gradients of AT_ONCE numbers, or of one example and one model if they are more.
    """
    y, norms = torch.as_tensor(labels, device=x.device), []
    numbers = AT_ONCE.get(x.device.type, AT_ONCE["cuda"])
    weights = sum(tensor[0].numel() for tensor in group.parameters.values())
    models = max(1, numbers // weights)
    for first in range(0, group.models, models):
        part = group.part(slice(first, first + models))
        fitting = part.slices(len(x), x)[0].stop
        step = max(1, min(fitting, numbers // (weights * part.models)))
        slices = [slice(start, start + step) for start in range(0, len(x), step)]
        norms.append(np.concatenate([_norms(part, x[s], y[s]) for s in slices], axis=1))
    return np.concatenate(norms)


def _norms(group, x, y):  # (n, ...), (n,) -> (K, n, 3)
    """Return the norms of ∇loss = -1 / (1 + exp(phi)) ∇phi.

    So written, they keep their digits where the loss and its gradient are as good as 0: neither is
    a difference of p_y and 1, and no square of a small number is taken.
    """
    group.network.eval()
    over_examples = vmap(_of_one(group.network), in_dims=(None, None, 0, 0))
    over_models = vmap(over_examples, in_dims=(0, 0, None, None))
    parameters = {name: tensor.detach() for name, tensor in group.parameters.items()}
    return over_models(parameters, group.buffers, x, y).float().cpu().numpy()


def _of_one(network):
    def value(parameters, buffers, x, y):
        return phi(functional_call(network, (parameters, buffers), (x[None],))[0].float(), y)

    def norms(parameters, buffers, x, y):
        gradients, confidence = grad_and_value(value)(parameters, buffers, x, y)
        sizes = torch.cat([part.flatten() for part in gradients.values()]).abs()
        three = torch.stack([sizes.sum(), sizes.square().sum().sqrt(), sizes.amax()])
        return torch.sigmoid(-confidence) * three

    return norms
