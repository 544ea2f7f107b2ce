"""A GPU of its own for every process of this machine.

Snakemake counts the GPUs that jobs ask for, but tells no job which one is its own. So each process
locks one: a file per device, locked with flock, which the kernel releases when the process ends,
however it ends. A device's file bears its UUID: numbers depend on CUDA_VISIBLE_DEVICES, and on a
cluster every job may see its own device as number 0.
"""

import fcntl
import os
import tempfile
import time
from pathlib import Path

PATIENCE = 0.5  # seconds between two rounds over devices that are all taken
held = {}  # device -> its open lock file: kept open, it is locked until this process ends


def take():
    """Return the torch device to compute on: a free GPU, locked; "cpu" where there is none.

    Waits while all GPUs are taken. A process asks once: the same device is returned ever after.
    """
    import torch

    if not torch.cuda.is_available():
        return torch.device("cpu")
    number = lock(visible())
    torch.cuda.set_device(number)  # or what names no device would touch the first one
    return torch.device("cuda", number)


def visible() -> list[str]:
    """Return the UUIDs of the GPUs that this process may use (CUDA_VISIBLE_DEVICES), in order."""
    import torch

    count = torch.cuda.device_count()
    return [str(torch.cuda.get_device_properties(number).uuid) for number in range(count)]


def lock(devices: list[str], folder: Path | None = None) -> int:
    """Lock one of the devices for this process; return its position. Waits for a free one.

    `folder` holds the lock files (default: one of the user's own in the directory for temporary
    files). Raises ValueError without devices.
    """
    if not devices:
        raise ValueError("there is no GPU to lock: CUDA_VISIBLE_DEVICES leaves none")
    folder = folder or Path(tempfile.gettempdir()) / f"miatlas-devices-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    said = False
    while True:
        for number, device in enumerate(devices):
            if device in held or _locked(folder, device):
                return number
        if not said:
            print(f"waiting for a GPU: all {len(devices)} are taken", flush=True)
            said = True
        time.sleep(PATIENCE)


def _locked(folder, device):
    file = open(folder / device, "a", encoding="utf-8")  # noqa: SIM115 (closing it would release the lock)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    held[device] = file
    return True
