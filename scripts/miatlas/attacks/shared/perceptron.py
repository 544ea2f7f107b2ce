"""A multilayer perceptron of two classes, trained by SGD with Nesterov's momentum: for `ldc`.

Not an attack itself. NumPy, as scikit-learn has no cosine schedule and torch takes longer to import
than the training. Layers are pairs of weights (inputs, outputs) and biases (outputs,).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from miatlas.running.seeds import rng

Layers = list[tuple[np.ndarray, np.ndarray]]
RATE, MOMENTUM = 0.1, 0.9
BATCH = 128  # ours: shi2024 leaves it open
ROWS = 4096  # examples in memory at once where no gradient is asked for
MEMBER = 1


@dataclass
class Perceptron:
    """Layers that were trained on features less `mean`, in units of `deviation`, both (d,)."""

    layers: Layers
    mean: np.ndarray
    deviation: np.ndarray

    def log_odds(self, features: np.ndarray) -> np.ndarray:  # (n, d) -> (n,)
        """Return log p - log(1 - p), p the probability of being a member by the softmax.

        Probabilities of sure answers would all round to 1.
        """
        pieces = [features[i : i + ROWS] for i in range(0, len(features), ROWS)]
        parts = [forward(self.layers, self._standard(piece))[-1] for piece in pieces]
        answers = np.concatenate([np.empty((0, 2)), *parts])
        return answers[:, MEMBER] - answers[:, 1 - MEMBER]

    def _standard(self, features):
        return (features - self.mean) / self.deviation


def train(features: np.ndarray, is_member: np.ndarray, widths, epochs: int) -> Perceptron:
    """Return a perceptron with hidden layers of `widths`, fitted to features (n, d).

    The rate falls from RATE to 0 along half a cosine, step by step. The same features in the same
    order give the same perceptron.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    model = Perceptron([], mean, np.where(deviation > 0, deviation, 1.0))
    inputs, wanted = model._standard(features), np.eye(2)[is_member.astype(int)]
    model.layers = initial((features.shape[1], *widths, 2))
    descend(model.layers, inputs, wanted, list(batches(len(inputs), epochs)))
    return model


def initial(sizes) -> Layers:
    """Return layers with weights and biases uniform within ±1/√inputs, as torch draws them."""
    generator = rng(0, "perceptron")
    bounds = [(n, m, 1 / np.sqrt(n)) for n, m in pairwise(sizes)]
    return [
        (generator.uniform(-b, b, size=(n, m)), generator.uniform(-b, b, size=m))
        for n, m, b in bounds
    ]


def batches(n: int, epochs: int):
    """Yield the examples of each step: in every epoch all of them once, in an order of its own."""
    generator = rng(0, "perceptron batches")
    for _ in range(epochs):
        order = generator.permutation(n)
        yield from (order[i : i + BATCH] for i in range(0, n, BATCH))


def descend(layers: Layers, inputs: np.ndarray, wanted: np.ndarray, steps: list) -> None:
    """Train layers in place: v ← μ v + g, w ← w - rate (g + μ v), v = 0 before the first step."""
    parameters = [array for layer in layers for array in layer]
    velocities = [np.zeros_like(array) for array in parameters]
    for step, batch in enumerate(steps):
        rate = RATE * (1 + np.cos(np.pi * step / len(steps))) / 2
        gradients = backward(layers, inputs[batch], wanted[batch])
        for array, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
            velocity *= MOMENTUM
            velocity += gradient
            array -= rate * (gradient + MOMENTUM * velocity)


def forward(layers: Layers, inputs: np.ndarray) -> list[np.ndarray]:  # (n, d) -> ..., (n, 2)
    """Return the inputs of each layer, and the answer of the last; ReLU between layers."""
    values = [inputs]
    for number, (weights, biases) in enumerate(layers, 1):
        answer = values[-1] @ weights + biases
        values.append(np.maximum(answer, 0.0) if number < len(layers) else answer)
    return values


def backward(layers: Layers, inputs: np.ndarray, wanted: np.ndarray) -> list[np.ndarray]:
    """Return the gradients of the mean cross-entropy, in the order of the layers' arrays."""
    *values, answer = forward(layers, inputs)
    blame, gradients = (softmax(answer) - wanted) / len(inputs), []
    for (weights, _), value in zip(reversed(layers), reversed(values), strict=True):
        gradients[:0] = [value.T @ blame, blame.sum(axis=0)]
        blame = (blame @ weights.T) * (value > 0)
    return gradients


def softmax(answers: np.ndarray) -> np.ndarray:  # (n, 2) -> (n, 2)
    """Return the probabilities of the classes."""
    powers = np.exp(answers - answers.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
