"""Processes that want a GPU, on devices that are only names, some of them ending badly."""

import os
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from miatlas.running import devices

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
LIBRARY = SCRIPTS / "miatlas"
JOB = """
import os, signal, subprocess, sys, time
from itertools import pairwise
from pathlib import Path
sys.path.insert(0, {scripts!r})
from miatlas.running import devices
devices.PATIENCE = 0.02
names, folder = {names!r}, Path({folder!r})
number = devices.lock(names, folder)
print("got", number, flush=True)
{then}
"""
WAITS = "sys.stdin.read()"
ENDINGS = {
    "exit": "sys.exit(0)",
    "exception": "raise RuntimeError('a mistake')",
    "kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "abort": "os.abort()",
    "exit without clean-up": "os._exit(3)",
}


@pytest.fixture
def start(tmp_path):
    """Start a process that locks one of the devices, says which, and does `then`."""
    running = []

    def new(names, then=WAITS):
        code = JOB.format(
            scripts=str(SCRIPTS), names=names, folder=str(tmp_path / "locks"), then=then
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        running.append(process)
        return process

    yield new
    for process in running:
        process.kill()
        process.communicate()


def got(process):
    """The position of the device that a process has locked, once it has."""
    word, number = process.stdout.readline().split()
    assert word == "got"
    return int(number)


def end(process):
    process.communicate("", timeout=10)


def test_each_process_has_its_own_device(start):
    names = ["a", "b", "c"]
    assert sorted(got(start(names)) for _ in names) == [0, 1, 2]


def test_with_all_devices_taken_a_process_waits_for_the_first_to_be_free(start):
    first, second = start(["a", "b"]), start(["a", "b"])
    places = {got(first): first, got(second): second}
    third = start(["a", "b"])
    assert third.stdout.readline() == "waiting for a GPU: all 2 are taken\n"
    time.sleep(0.2)
    assert third.poll() is None
    end(places[1])
    assert got(third) == 1


@pytest.mark.parametrize("how", ENDINGS.values(), ids=ENDINGS)
def test_a_device_is_free_again_however_its_process_ends(start, how):
    process = start(["a"], how)
    assert got(process) == 0
    end(process)
    assert got(start(["a"])) == 0


def test_a_program_that_outlives_its_parent_does_not_keep_the_device(start):
    process = start(["a"], "subprocess.Popen(['sleep', '20'], stdout=subprocess.DEVNULL)")
    assert got(process) == 0
    process.wait(timeout=10)
    assert got(start(["a"])) == 0


def test_a_device_is_told_by_its_name_and_not_by_its_number(start):
    """Two jobs that see one device each, as number 0 both, but not the same."""
    assert got(start(["a"])) == 0
    assert got(start(["b"])) == 0
    assert got(start(["a", "b", "c"])) == 2


def test_a_process_that_asks_again_keeps_its_device(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "held", {})
    assert devices.lock(["a", "b"], tmp_path) == 0
    assert devices.lock(["a", "b"], tmp_path) == 0
    assert list(devices.held) == ["a"]


def test_many_processes_never_share(start, tmp_path):
    """Twelve jobs on three devices: each writes when it had its device; no two overlap."""
    busy = "\n".join(
        [
            "begin = time.monotonic_ns()",
            "time.sleep(0.05)",
            "end = time.monotonic_ns()",
            "print(number, begin, end, flush=True)",
            "os.kill(os.getpid(), signal.SIGKILL)",
        ]
    )
    processes = [start(["a", "b", "c"], busy) for _ in range(12)]
    spans = []
    for process in processes:
        last = process.communicate(timeout=60)[0].splitlines()[-1]
        assert process.returncode == -signal.SIGKILL
        spans.append(tuple(int(word) for word in last.split()))
    assert {number for number, _, _ in spans} == {0, 1, 2}
    for number in range(3):
        own = sorted(span[1:] for span in spans if span[0] == number)
        for (_, end_of_one), (begin_of_next, _) in pairwise(own):
            assert end_of_one < begin_of_next


def test_no_device_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no GPU"):
        devices.lock([], tmp_path)


def test_locks_are_the_users_own(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "held", {})
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    devices.lock(["a"])
    (folder,) = tmp_path.iterdir()
    assert folder.name == f"miatlas-devices-{os.getuid()}"
    assert folder.stat().st_mode & 0o077 == 0


def test_without_a_gpu_one_computes_on_the_cpu(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.take() == torch.device("cpu")


def test_the_gpu_that_is_locked_is_the_one_used(tmp_path, monkeypatch, start):
    """Without GPUs: torch's answers are given, of which the first is another process's."""
    torch = pytest.importorskip("torch")
    used = []
    monkeypatch.setattr(devices, "held", {})
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", used.append)
    monkeypatch.setattr(devices, "visible", lambda: ["GPU-1", "GPU-2"])
    folder = tmp_path / f"miatlas-devices-{os.getuid()}"
    folder.mkdir()
    (tmp_path / "locks").symlink_to(folder)
    assert got(start(["GPU-1"])) == 0
    assert devices.take() == torch.device("cuda", 1)
    assert used == [1]


def test_jobs_that_ask_for_a_gpu_are_those_that_lock_one():
    asking, locking = set(), set()
    for path in (ROOT / "rules").glob("*.smk"):
        for rule in re.split(r"^rule ", path.read_text(), flags=re.M)[1:]:
            if "gpu=GPU," in rule:
                asking.add(re.search(r"scripts/(\w+\.py)", rule)[1])
    for script in SCRIPTS.glob("*.py"):
        text = script.read_text()
        names = re.findall(r"^from miatlas\.([\w.]+) import", text, flags=re.M)
        files = [LIBRARY / f"{name.replace('.', '/')}.py" for name in names]
        modules = [file.read_text() for file in files if file.exists()]
        if any("devices.take()" in code for code in (text, *modules)):
            locking.add(script.name)
    asked = {
        "accept_models.py", "train_models.py", "query_models.py", "probe_models.py",
        "train_regressors.py", "perturb_examples.py",
    }  # fmt: skip
    assert asking == locking == asked


@pytest.mark.parametrize(
    ("shown", "count"), [(None, 2), ("", 0), ("-1", 0), ("1", 1), ("0,2,5", 3), ("GPU-a,GPU-b", 2)]
)
def test_make_counts_the_gpus_that_are_there_or_shown(tmp_path, shown, count):
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'GPU 0: X (UUID: GPU-a)'\necho 'GPU 1: X (UUID: GPU-b)'\n")
    smi.chmod(0o755)
    hidden = {"CUDA_VISIBLE_DEVICES", "GPUS", "MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    if shown is not None:
        environment["CUDA_VISIBLE_DEVICES"] = shown
    command = ["make", "--dry-run", "plan"]
    said = subprocess.run(
        command, cwd=ROOT, env=environment, text=True, capture_output=True, check=True
    )
    assert f"--resources gpu={count} " in said.stdout
