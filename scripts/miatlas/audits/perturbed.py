"""What models answer at the points that were found for each target."""

import numpy as np

from miatlas.running.store import SLICE, opened


class Perturbed:
    """A file of phi: `target` (T, N, 1), and `refs` (T, M, N, 1) of all shadow models, by target.

    0 stands where an example does not count for a target.
    """

    def __init__(self, path):
        self.path = path

    def read(self, who: str, target: int, where: slice) -> np.ndarray:
        """Return phi at a target's points for a slice: its own (n, 1), or all refs' (M, n, 1)."""
        with opened(self.path) as file:
            if who == "target":
                return file["target"][target, where]
            return file["refs"][target, :, where]


def new(file, targets: int, models: int, examples: int) -> None:
    """Make the arrays of a new file, to be filled by target and slice."""
    step = min(SLICE, examples)
    for name, shape in (("target", (targets,)), ("refs", (targets, models))):
        chunks = (*[1] * (len(shape) - 1), shape[-1] if name == "refs" else 1, step, 1)
        settings = {"chunks": chunks, "fillvalue": 0.0, "compression": "lzf"}  # mostly zeros
        file.create_dataset(name, (*shape, examples, 1), np.float32, **settings)
