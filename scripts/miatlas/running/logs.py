"""Where a script's words go: to its log, and to the terminal when something fails."""

import sys
import traceback
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path


@contextmanager
def logged(path):
    """Send what is printed to the file `path`; a failure is told there and on the terminal.

    A ValueError is a message for the user: its one line is shown instead of a traceback, which the
    log keeps. So is what the machine refuses (files, room on the disk, memory), and so is an
    interruption, which is the user's own doing.
    """
    terminal = sys.stderr
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    text = {"buffering": 1, "encoding": "utf-8", "errors": "backslashreplace"}
    with open(path, "w", **text) as log, redirect_stdout(log), redirect_stderr(log):
        try:
            yield
        except BaseException as error:
            traceback.print_exc(file=log)
            if (said := message(error)) is None:
                raise
            print(f"\nmiatlas: {said}\n(log: {path})\n", file=terminal)
            sys.exit(130 if isinstance(error, KeyboardInterrupt) else 1)


def message(error: BaseException) -> str | None:
    """Return what the user is told of a failure, in one line; None if it is a mistake of ours."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if out_of_memory(error):
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return (
            f"not enough memory ({reason}): try a smaller block of the cohort or batch_size of the"
            " recipe, or a machine with more"
        )
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error) if isinstance(error, (ValueError, OSError)) else None


def out_of_memory(error: BaseException) -> bool:
    """Whether the machine or its GPU has no memory left, as NumPy, Python or torch say it."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))


def terminal():
    """Return the stream that a progress bar may use: the terminal's, or None if there is none."""
    return sys.__stderr__ if sys.__stderr__ is not None and sys.__stderr__.isatty() else None
