"""What a network of one's own answers, as logits; and the check that it is what a model may answer.

A network may answer logits (B, C), one logit (B, 1) or (B,) where there are two classes, or more
than logits: then the function `logits(output)` of its file picks them, or they are called so.
"""

from collections.abc import Callable, Mapping

import torch
from torch import nn

TOLERANCE = 1e-3  # by which answers may differ that are to be the same, of their size
ASKED = 16  # examples that a network is tried on


class AsLogits(nn.Module):
    """A network that answers logits (B, C), whatever the one inside answers.

    `pick` is the function `logits` of the network's file, if it has one.
    """

    def __init__(self, network: nn.Module, classes: int, pick: Callable | None = None):
        super().__init__()
        self.network, self.classes, self.pick = network, classes, pick
        for method in ("features", "token_statistics"):  # that probes ask for
            if hasattr(network, method):
                setattr(self, method, getattr(network, method))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, ...) -> (B, C)."""
        answer = self.network(x)
        return logits_of(self.pick(answer) if self.pick else answer, len(x), self.classes)


def logits_of(answer, examples: int, classes: int) -> torch.Tensor:
    """Return an answer about B examples as logits (B, C); ValueError says what it is instead."""
    if isinstance(answer, Mapping) and "logits" in answer:
        answer = answer["logits"]
    answer = getattr(answer, "logits", answer)
    if not isinstance(answer, torch.Tensor):
        what = f"a {type(answer).__name__}"
        if isinstance(answer, Mapping):
            what += f" of {', '.join(map(str, answer))}"
        raise ValueError(f"answers {what}: define logits(output), which returns the logits (B, C)")
    shape = tuple(answer.shape)
    if classes == 2 and shape in ((examples,), (examples, 1)):
        one = answer.reshape(examples, 1)
        return torch.cat([torch.zeros_like(one), one], 1)
    if len(shape) != 2 or shape[0] != examples or shape[1] < classes:
        raise ValueError(
            f"answers {shape} about {examples} examples of {classes} classes: logits are to be"
            f" ({examples}, {classes}){', or one logit each' if classes == 2 else ''}"
        )
    return answer


def check(answer: Callable, x: torch.Tensor) -> None:
    """Refuse a network whose answers about x (B, ...) are no fixed logits of each example.

    `answer(x)` returns them in evaluation mode. Raises ValueError with what is wrong and what
    helps: an error of its own, numbers that are not finite, answers that are random or depend on
    the batch.
    """
    x = x[:ASKED]
    try:
        first, again, alone = answer(x), answer(x), torch.cat([answer(row[None]) for row in x])
    except (RuntimeError, IndexError, TypeError, AttributeError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        said = lines[-1].strip() if lines else type(error).__name__
        raise ValueError(f"fails on examples of shape {tuple(x.shape[1:])}: {said}") from error
    if not torch.isfinite(first).all():
        raise ValueError("answers numbers that are not finite")
    if not torch.equal(first, again):
        raise ValueError(
            "answers differently each time: something is drawn in evaluation mode too"
            " (dropout: functional.dropout(x, p, self.training); a program is made of"
            " network.eval())"
        )
    if (alone - first).abs().max() > TOLERANCE * (1 + first.abs().max()):
        raise ValueError(
            "answers about an example by what else is in the batch: batch norm in evaluation mode"
            " uses its running statistics (track_running_stats; a program is made of"
            " network.eval())"
        )


INSTEAD = (
    "leave the softmax or sigmoid out, or define logits(output), e.g. output.clamp(1e-6).log()"
)


def check_logits(logits: torch.Tensor, instead: str = INSTEAD) -> None:
    """Refuse answers about all examples (N, C) that are probabilities: phi is taken of logits.

    `instead`: what helps.
    """
    sums = logits.double().sum(1)
    vectors = (logits >= 0).all() and ((sums - 1).abs() < 1e-3).all()
    single = logits.shape[1] == 2 and (logits[:, 0] == 0).all()
    between = ((logits[:, 1] > 0) & (logits[:, 1] < 1)).all() if single else False
    if len(logits) and (vectors or between):
        raise ValueError(f"answers probabilities, and not logits: {instead}")
