"""Products of K models' matrices.

On a CPU they are NumPy's, by OpenBLAS, which takes half to two thirds of the time of torch's: MKL
leaves the wide vectors (AVX-512) of CPUs of other makers than its own unused.
"""

import numpy as np
import torch


def product(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None):
    """Return x W^T + b (K, B, O) of x (K, B, I), W (K, O, I) and b (K, O); b may be left out.

    Nothing of it is remembered for gradients.
    """
    x, weight = x.detach(), weight.detach().mT
    bias = None if bias is None else bias.detach()[:, None]
    if not x.is_cpu:
        return torch.bmm(x, weight) if bias is None else torch.baddbmm(bias, x, weight)
    result = x.new_empty(len(x), x.shape[1], weight.shape[2])
    with np.errstate(all="ignore"):  # whoever trains looks for numbers that are not finite
        np.matmul(x.numpy(), weight.numpy(), out=result.numpy())
    return result if bias is None else result.add_(bias)
