"""How many auxiliary examples a model answers alike: the neighbour information of shi2024, Eq. 7.

Not an attack itself.
"""

from dataclasses import dataclass

import numpy as np

NUMBERS = 2**22  # similarities in memory at once
TINY = np.finfo(np.float64).tiny


@dataclass
class Neighbourhood:
    """Auxiliary examples (A,), in ascending order, and what one model answers about them (A, C)."""

    examples: np.ndarray
    answers: np.ndarray
    theta: float

    def information(self, examples: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Return NI(x) = 1 / |{a ≠ x: cos(answer of x, answer of a) > theta}|, (n,); 1 if none.

        examples (n,) and answers (n, C) of the same model. x is known by its index.
        """
        step = max(1, NUMBERS // max(1, len(self.examples)))
        directions = normalised(self.answers).T
        counts = [
            self._count(examples[i : i + step], answers[i : i + step], directions)
            for i in range(0, len(examples), step)
        ]
        return 1.0 / np.maximum(np.concatenate([np.empty(0), *counts]), 1)

    def _count(self, examples, answers, directions):
        near = normalised(answers) @ directions > self.theta  # (n, A)
        place = np.searchsorted(self.examples, examples)
        known = np.flatnonzero(np.append(self.examples, -1)[place] == examples)
        near[known, place[known]] = False
        return np.count_nonzero(near, axis=1)


def normalised(vectors: np.ndarray) -> np.ndarray:  # (n, C) -> (n, C)
    """Return vectors of length 1, in float64; one of length 0 has no direction and stays."""
    vectors = vectors.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, TINY)
