"""Measuring: fresh processes, their time and peak memory, repetitions of two sides in turn.

Only the standard library is imported here and in run.py: on Linux a new process inherits the peak
memory of the one that started it, so the starting one has to stay small.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
PACKAGES = ("snakemake", "torch", "numpy", "scipy", "h5py")
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
# What would hold OpenBLAS to kernels of other CPUs than this one; all libraries choose their own.
NOT_PASSED_ON = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
KIB = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in KiB on Linux, in bytes on macOS


def child(script: str, side: str, **options) -> dict:
    """Run a side of `script` in a fresh process; return what it reports, measured as by `process`.

    The script's `sides` maps names to functions of the options that return something for JSON.
    """
    return process([sys.executable, str(HERE / script), side, json.dumps(options)])


def process(command: list[str], directory: Path | None = None) -> dict:
    """Run a command; return its process_seconds, peak_mib, and what its last line says if JSON.

    Its process_cpu_seconds are those that it kept a core busy.

    Peak memory is the largest resident set of the process or of one that it waited for. Raises
    RuntimeError, with all that was said, if the command fails.
    """
    passed_on = {name: text for name, text in os.environ.items() if name not in NOT_PASSED_ON}
    with tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        started = subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, cwd=directory,
            env=passed_on | ONE_THREAD,
        )  # fmt: skip
        _, status, usage = os.wait4(started.pid, 0)
        seconds = time.perf_counter() - start
        started.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if started.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{text}")
    last = text.rstrip().rpartition("\n")[2]
    reported = json.loads(last) if last.startswith("{") else {"text": text}
    peak = usage.ru_maxrss * KIB / 2**20
    cpu = usage.ru_utime + usage.ru_stime
    measured = {"process_seconds": seconds, "process_cpu_seconds": cpu, "peak_mib": peak}
    return {**measured, **reported}


def cpu_seconds() -> float:
    """Return the time that this process has kept a core busy, which others do not lengthen much."""
    return sum(os.times()[:2])


def peak_mib() -> float:
    """Return the largest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB / 2**20


def report(sides: dict[str, Callable]) -> None:
    """Be the child: run the side that the command line names, print what it returns."""
    print("\n" + json.dumps(sides[sys.argv[1]](**json.loads(sys.argv[2]))))


def in_turn(sides: dict[str, Callable[[], dict]], repetitions: int) -> dict[str, list[dict]]:
    """Run every side `repetitions` times, in turn, each round in the opposite order."""
    runs = {name: [] for name in sides}
    for round_ in range(repetitions):
        for name in list(sides)[:: 1 if round_ % 2 == 0 else -1]:
            runs[name].append(sides[name]())
            print(f"  {name}: {_measured(runs[name][-1])}", flush=True)
    return runs


def comparison(title: str, runs: dict[str, list[dict]], time: str, agreement: dict) -> dict:
    """Return the entry of two sides: this project's first, then the alternative.

    `time` names the measurement that is compared. The ratios are the alternative's over ours
    (above 1: this project is ahead), of the medians; `rounds` has the ratio of every round;
    `agreement` says how far both sides did the same.
    """
    (own, ours), (other, alternative) = runs.items()
    middle = {
        name: {key: median(run[key] for run in side) for key in (time, "peak_mib")}
        for name, side in runs.items()
    }
    ratios = {key: middle[other][key] / middle[own][key] for key in (time, "peak_mib")}
    rounds = [b[time] / a[time] for a, b in zip(ours, alternative, strict=True)]
    return {
        "title": title, "time": time, "ours": own, "alternative": other, "medians": middle,
        "ratios": ratios, "rounds": rounds, "agreement": agreement,
        "runs": {n: [_numbers(run) for run in side] for n, side in runs.items()},
    }  # fmt: skip


def circumstances() -> dict:
    """Return machine, date and versions: nothing that names the host, its user or a path."""
    release = platform.freedesktop_os_release() if sys.platform == "linux" else {}
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "system": release.get("PRETTY_NAME", platform.system()),
            "load_at_start": round(os.getloadavg()[0], 1),
        },
        "versions": {
            "python": platform.python_version(),
            **{package: there for package in PACKAGES if (there := _version(package))},
        },
    }


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor():
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _numbers(run):
    return {key: round(value, 4) for key, value in run.items() if isinstance(value, float)}


def _measured(run):
    return ", ".join(f"{key} {value:.4g}" for key, value in _numbers(run).items())
