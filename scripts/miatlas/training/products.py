"""Products of K models' matrices.

On a CPU, in jobs of one thread, they are NumPy's, by OpenBLAS: torch's are MKL's, which leaves the
wide vectors (AVX-512) of other makers' CPUs than its own unused. On one of AMD's they take half of
the time, and with OpenBLAS held to narrow vectors (OPENBLAS_CORETYPE=Haswell) nine tenths. On more
threads torch's models are spread over them, where OpenBLAS spreads each product, which may take ten
times as long.
"""

import numpy as np
import torch


def product(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None):
    """Return x W^T + b (K, B, O) of x (K, B, I), W (K, O, I) and b (K, O); b may be left out.

    Nothing of it is remembered for gradients.
    """
    x, weight = x.detach(), weight.detach().mT
    bias = None if bias is None else bias.detach()[:, None]
    if not x.is_cpu or torch.get_num_threads() > 1:
        return torch.bmm(x, weight) if bias is None else torch.baddbmm(bias, x, weight)
    result = x.new_empty(len(x), x.shape[1], weight.shape[2])
    with np.errstate(all="ignore"):  # whoever trains looks for numbers that are not finite
        np.matmul(x.numpy(), weight.numpy(), out=result.numpy())
    return result if bias is None else result.add_(bias)
