"""The JavaScript that draws a page's charts, as it stands in the page itself."""

import os
import resource
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import vl_convert

from miatlas.running.files import write_text

ADDRESSES = 66 * 2**30  # bytes of them, not of memory, that vl_convert's engine takes, or it aborts


def bundle(version: str) -> str:
    """Return the code for a version of Vega-Lite, from the user's cache if it is there.

    It is the same for every study, and making it takes longer than all else of a page. Raises
    ValueError where the process has no room for what makes it.
    """
    file = cache() / f"vega-lite-{version}-{vl_convert.__version__}.js"
    with suppress(OSError, ValueError):
        digest, code = file.read_text(encoding="utf-8").split("\n", 1)
        if digest == _digest(code):
            return code
    code = made(version)
    with suppress(OSError):
        write_text(file, f"{_digest(code)}\n{code}")
    return code


def cache() -> Path:
    """Return where a user's programs keep what they can make anew."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "miatlas"


def made(version: str) -> str:
    """Return the code as vl_convert's engine bundles it."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if resource.RLIM_INFINITY != limit < ADDRESSES:
        raise ValueError(
            f"the page needs {ADDRESSES // 2**30} GiB of addresses (not of memory), but"
            f" the limit is {limit / 2**30:.3g} GiB: ulimit -v unlimited"
        )
    return vl_convert.javascript_bundle(vl_version=version)


def _digest(code):
    return sha256(code.encode()).hexdigest()
