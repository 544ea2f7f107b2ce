"""Memory that a job has freed is used again, and not returned to the system and asked for anew."""

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
LIMIT = 2**30  # bytes: freed memory that is kept, and what is taken from it at once


def keep_freed_memory() -> None:
    """Tell glibc to keep what is freed; elsewhere do nothing.

    Every batch frees arrays of some megabytes and takes them again. Returned in between, they come
    back as empty pages, one fault for every 4 KiB, which can take half of the time of a job.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(TRIM_THRESHOLD, LIMIT)
        mallopt(MMAP_THRESHOLD, LIMIT)
