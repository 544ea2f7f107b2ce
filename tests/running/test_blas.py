"""What OpenBLAS is told of CPUs that it does not know."""

import os
import subprocess
import sys

import pytest

from miatlas.running import blas

ZEN5 = """processor\t: 0
vendor_id\t: {vendor}
cpu family\t: 26
flags\t\t: fpu avx2 avx512f avx512dq avx512cd avx512bw {last}

processor\t: 1
vendor_id\t: GenuineIntel
flags\t\t: fpu
"""


def told(tmp_path, environment=None, vendor="AuthenticAMD", last="avx512vl"):
    cpus = tmp_path / "cpuinfo"
    cpus.write_text(ZEN5.format(vendor=vendor, last=last))
    return blas.told(environment or {}, cpus)


def test_wide_vectors_of_an_amd_are_used(tmp_path):
    assert told(tmp_path) == {"OPENBLAS_CORETYPE": "SkylakeX"}


@pytest.mark.parametrize(
    "case",
    [{"environment": {"OPENBLAS_CORETYPE": "Zen"}}, {"vendor": "GenuineIntel"}, {"last": "sse"}],
)
def test_nothing_is_told_where_it_is_known_chosen_or_wrong(tmp_path, case):
    assert told(tmp_path, **case) == {}


def test_nothing_is_told_where_a_machine_does_not_describe_its_cpu(tmp_path):
    assert blas.told({}, tmp_path / "cpuinfo") == {}
    (tmp_path / "cpuinfo").write_text("processor : 0\nFeatures : fp asimd\n\n")
    assert blas.told({}, tmp_path / "cpuinfo") == {}


@pytest.mark.skipif(not blas.told({}), reason="OpenBLAS knows this CPU, or has nothing to gain")
def test_the_library_takes_the_kernels_that_it_is_told():
    """If not, the name of the variable or of the kernels has changed."""
    code = "import numpy, threadpoolctl; print(threadpoolctl.threadpool_info())"
    environment = {name: value for name, value in os.environ.items() if name != blas.KERNELS}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | blas.told(environment), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "SkylakeX" in ran.stdout
