"""Where a script's words go: to its log, and to the terminal when something fails."""

import sys
import traceback
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path


@contextmanager
def logged(path):
    """Send what is printed to the file `path`; a failure is told there and on the terminal.

    A ValueError or FileNotFoundError is a message for the user: its one line is shown instead of a
    traceback, which the log keeps. So is an interruption, which is the user's own doing.
    """
    terminal = sys.stderr
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with (
        open(path, "w", buffering=1, encoding="utf-8") as log,
        redirect_stdout(log),
        redirect_stderr(log),
    ):
        try:
            yield
        except (ValueError, FileNotFoundError) as error:
            traceback.print_exc(file=log)
            print(f"\nmiatlas: {error}\n(log: {path})\n", file=terminal)
            sys.exit(1)
        except KeyboardInterrupt:
            traceback.print_exc(file=log)
            print(f"\nmiatlas: interrupted\n(log: {path})\n", file=terminal)
            sys.exit(130)
        except BaseException:
            traceback.print_exc(file=log)
            raise


def terminal():
    """Return the stream that a progress bar may use: the terminal's, or None if there is none."""
    return sys.__stderr__ if sys.__stderr__ is not None and sys.__stderr__.isatty() else None
