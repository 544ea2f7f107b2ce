"""What a device can do at most, and what work a training hands it."""

import time
from collections.abc import Callable

import torch
from torch.autograd import DeviceType
from torch.nn.functional import cross_entropy
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

LAUNCHES = 1000


def synchronize(device: torch.device) -> None:
    """Wait for what was asked of a GPU; a CPU has done it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def quickest(call: Callable, device: torch.device, repetitions: int = 10) -> float:
    """Return the seconds of the quickest of some calls, after two that do not count."""
    seconds = []
    for _ in range(repetitions + 2):
        synchronize(device)
        start = time.perf_counter()
        call()
        synchronize(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds[2:])


def peaks(device: torch.device, quick: bool) -> dict:
    """Return the most FLOPs a second in bfloat16, bytes a second, and the seconds of a launch.

    By a product of two large square matrices, a large copy (read and written), and one addition to
    one number after the other.
    """
    side, numbers = (256, 2**16) if quick else (8192, 2**28)
    matrix = torch.randn(side, side, device=device).bfloat16()
    source = torch.zeros(numbers, device=device)
    target, one = torch.empty_like(source), torch.zeros(1, device=device)
    launches = lambda: [one.add_(1) for _ in range(LAUNCHES)]  # noqa: E731
    return {
        "flops": 2 * side**3 / quickest(lambda: matrix @ matrix, device),
        "bytes": 2 * 4 * numbers / quickest(lambda: target.copy_(source), device),
        "launch_seconds": quickest(launches, device, 3) / LAUNCHES,
    }


def flops(make: Callable, shape: tuple, device: torch.device) -> tuple[float, float]:
    """Return the FLOPs of training on an image and of answering about it, by one plain network."""
    network, n = make().to(device), 4
    x, y = torch.randn(n, *shape, device=device), torch.zeros(n, dtype=torch.long, device=device)
    with FlopCounterMode(display=False) as training:
        cross_entropy(network(x), y).backward()
    with FlopCounterMode(display=False) as answering, torch.no_grad():
        network.eval()(x)
    return training.get_total_flops() / n, answering.get_total_flops() / n


class Traffic(TorchDispatchMode):
    """Counts operations, and the bytes of their inputs and outputs: what they move at least.

    Views and memory that is only reserved do not count. Caches make it less, copies that an
    operation makes inside itself more.
    """

    def __init__(self):
        super().__init__()
        self.bytes = self.operations = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        """Do what was asked, and count it."""
        found = function(*args, **(kwargs or {}))
        if not function.is_view and "empty" not in function.name():
            tensors = [t for t in tree_leaves((args, kwargs, found)) if torch.is_tensor(t)]
            self.bytes += sum(t.numel() * t.element_size() for t in tensors)
            self.operations += 1
        return found


def slowest(call: Callable, device: torch.device, count: int = 8) -> dict[str, float]:
    """Return the kernels that take the most of the device's time, with their share of it."""
    gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with profile(activities=activities) as seen:
        call()
        synchronize(device)
    field = "self_device_time_total" if gpu else "self_cpu_time_total"
    where = DeviceType.CUDA if gpu else DeviceType.CPU  # calls bear the time of their kernels, too
    events = [event for event in seen.key_averages() if event.device_type == where]
    times = {event.key: getattr(event, field) for event in events}
    whole = sum(times.values()) or 1
    ranked = sorted(times, key=times.get, reverse=True)[:count]
    return {name[:80]: times[name] / whole for name in ranked}
