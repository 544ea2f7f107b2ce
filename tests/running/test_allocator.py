"""What is freed stays: arrays taken anew cost no page faults, and the peak of memory no more."""

import subprocess
import sys
from pathlib import Path

import pytest

import miatlas

CODE = """
import resource, sys
sys.path.insert(0, {path!r})
import numpy as np
from miatlas.running.allocator import keep_freed_memory
if {keep}:
    keep_freed_memory()
def work():
    for _ in range(50):
        parts = [np.ones(2**20) for _ in range(4)]  # 8 MiB each: other sizes come in between
        parts.append(np.ones(5 * 2**20))
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keep: bool) -> int:
    code = CODE.format(path=str(Path(miatlas.__file__).parents[1]), keep=keep)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(ran.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="sets glibc's allocator")
def test_freed_arrays_are_taken_again_without_page_faults():
    assert faults(keep=True) < faults(keep=False) / 10
