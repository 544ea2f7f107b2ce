"""Progress of long work: a bar on a terminal, plain lines in a log."""

import sys
import time

from tqdm import tqdm

from miatlas.logs import terminal

LINES = 20  # at most so many lines in a log


class Progress:
    """Counts rounds of named work (epochs of a stack, or of one model after the other)."""

    def __init__(self, name: str, rounds: int):
        self.name, self.rounds, self.done, self.start = name, rounds, 0, time.monotonic()
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
        """Report a finished epoch, counted from 0, of some models (their numbers)."""
        self.done += 1
        who = f"model {models[0]}" if len(models) == 1 else f"models {models[0]}-{models[-1]}"
        if self.bar:
            self.bar.update()
            self.bar.set_postfix_str(f"{who}, loss {loss:.3f}, accuracy {accuracy:.3f}")
        if self.done % -(-self.rounds // LINES) == 0 or self.done == self.rounds:
            print(
                f"{self.name}: {self.done}/{self.rounds}, {who}, epoch {epoch + 1},"
                f" loss {loss:.4f}, accuracy {accuracy:.4f}, {time.monotonic() - self.start:.0f} s",
                file=sys.stdout,
            )
