"""The network that the weights are of. Put your own class here."""

from torch import nn


def build(shape, classes, *, width: int = 64):
    """Return the network for examples of a shape, such as (64,) or (3, 32, 32); it answers logits.

    Options that a study may give are keyword-only, each with its type.
    """
    return nn.Sequential(
        nn.Flatten(), nn.Linear(shape[0], width), nn.ReLU(), nn.Linear(width, classes)
    )


# Where the network answers more than logits (B, classes):  def logits(output): return output[0]
# Where you train shadow models yourself (then the recipe has no epochs):
#     def train(x, labels, seed, device): return network
