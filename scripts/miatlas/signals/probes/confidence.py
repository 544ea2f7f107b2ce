"""phi on the models' device, differentiable: what the probes `noise` and `gradients` share.

Not a probe itself.
"""

import torch


def phi(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return phi = z_y - logsumexp_{c≠y} z_c, of (..., C): (...).

    labels broadcast against logits.shape[:-1]. The loss is softplus(-phi), and where it has rounded
    to 0 phi still tells two answers apart.
    """
    is_true = torch.arange(logits.shape[-1], device=logits.device) == labels[..., None]
    wrong = logits.masked_fill(is_true, -torch.inf)
    return logits.masked_fill(~is_true, 0).sum(-1) - wrong.logsumexp(-1)
