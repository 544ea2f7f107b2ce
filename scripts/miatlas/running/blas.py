"""What OpenBLAS is told of the CPU, where it does not know it."""

from collections.abc import Mapping
from pathlib import Path

AMD = "AuthenticAMD"
KERNELS = "OPENBLAS_CORETYPE"  # the variable by which it lets itself be told
WIDE = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}  # what its SkylakeX kernels use


def told(environment: Mapping[str, str], cpus: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Return what to add to an environment in which NumPy is loaded.

    OpenBLAS up to 0.3.31 does not know AMD's Zen 5 (its issue 6029), and leaves the wide vectors of
    such a CPU unused: products take twice the time. A user's own choice of kernels stays.
    """
    if KERNELS in environment or not cpus.is_file():
        return {}
    facts = _first(cpus)
    wide = facts.get("flags", "").split()
    return {KERNELS: "SkylakeX"} if facts.get("vendor_id") == AMD and set(wide) >= WIDE else {}


def _first(cpus: Path) -> dict[str, str]:
    """Return what a machine tells of its first CPU."""
    facts = {}
    with cpus.open() as lines:
        for line in lines:
            if not line.strip():
                break
            name, _, value = line.partition(":")
            facts[name.strip()] = value.strip()
    return facts
