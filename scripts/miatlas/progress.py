"""Progress of long work: a bar on a terminal, plain lines in a log."""

import sys
import time

from tqdm import tqdm

from miatlas.logs import terminal

LINES = 20  # at most so many lines in a log


class Progress:
    """Counts epochs (or other rounds) of named work, with loss, accuracy and time left."""

    def __init__(self, name: str, rounds: int):
        self.name, self.rounds, self.start = name, rounds, time.monotonic()
        self.bar = None

    def __enter__(self):
        stream = terminal()
        if stream:
            self.bar = tqdm(desc=self.name, total=self.rounds, file=stream, leave=False)
        return self

    def __exit__(self, *_):
        if self.bar:
            self.bar.close()

    def __call__(self, models: list[int], epoch: int, loss: float, accuracy: float) -> None:
        """Report a finished round of some models (their numbers), counted from 0."""
        if self.bar:
            self.bar.n = epoch + 1
            self.bar.set_postfix_str(f"model {models[0]}, loss {loss:.3f}, accuracy {accuracy:.3f}")
        if (epoch + 1) % max(1, self.rounds // LINES) == 0:
            print(
                f"{self.name}: models {models[0]}-{models[-1]}, epoch {epoch + 1}/{self.rounds},"
                f" loss {loss:.4f}, accuracy {accuracy:.4f}, {time.monotonic() - self.start:.0f} s",
                file=sys.stdout,
            )
