"""Tensors of the CPU, sent to a GPU that is still at work."""

import torch


def sent(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor of the CPU on a device; of a CPU it is the same one.

    A copy from pinned memory waits its turn on the GPU, and nobody waits for it; one from other
    memory waits here until the GPU has done all that is queued. torch keeps pinned memory until
    copies from it are made.
    """
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
