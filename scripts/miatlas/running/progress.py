"""Progress of long work: a bar on a terminal, plain lines in a log."""

import sys
import time

from tqdm import tqdm

from miatlas.running.logs import terminal

LINES = 20  # at most so many lines in a log


class Progress:
    """Counts rounds of named work: epochs of a stack or of one model after the other, examples."""

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
        who = f"model {models[0]}" if len(models) == 1 else f"models {models[0]}-{models[-1]}"
        self.advance(
            1,
            f"{who}, loss {loss:.3f}, accuracy {accuracy:.3f}",
            f", {who}, epoch {epoch + 1}, loss {loss:.4f}, accuracy {accuracy:.4f}",
        )

    def advance(self, rounds: int, bar: str = "", log: str = "") -> None:
        """Report rounds that are done, with what a bar and a line of a log say of them."""
        before, self.done = self.done, self.done + rounds
        if self.bar:
            self.bar.update(rounds)
            self.bar.set_postfix_str(bar)
        every = -(-self.rounds // LINES)
        if self.done // every > before // every or self.done == self.rounds:
            seconds = time.monotonic() - self.start
            print(f"{self.name}: {self.done}/{self.rounds}{log}, {seconds:.0f} s", file=sys.stdout)
