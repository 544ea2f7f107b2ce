"""GPT-2 (Radford et al. 2019): carlini2022's model of WikiText-103, trained from scratch.

A decoder-only transformer with the norms before attention and MLP, learned positions, GELU, and
the embedding of the tokens as its output layer. GPT-2 small is width 768, depth 12, heads 12. It
has no dropout: networks of a stack must not draw.

An example is a window of L token ids x_1 ... x_L. Its answer is two logits,

    (log p, log(1 - p)),   log p = 1/L Σ_t log Pr[x_t | x_1 ... x_{t-1}],

whose softmax is (p, 1 - p). With label 0, the only one that text has, the cross-entropy is the mean
loss of the tokens, and phi is log(p / (1 - p)), the paper's logit scaling of the confidence. An
accuracy says no more than where p exceeds 1/2.
"""

from math import sqrt
from typing import Annotated

import torch
from torch import nn
from torch.nn.functional import gelu, pad

from miatlas.options import between, positive

STACKABLE = True
INPUTS = "text"
AT_ONCE = {"cpu": 2**22, "cuda": 2**27}  # scores of the vocabulary that a model holds at once
START = 0  # the id before the first token


def build(
    shape: tuple[int, ...],
    classes: int,
    *,
    vocabulary: Annotated[int, between(2, 2**24)] = 10000,
    width: Annotated[int, positive] = 128,
    depth: Annotated[int, positive] = 4,
    heads: Annotated[int, positive] = 4,
) -> nn.Module:
    """Return the network for windows of `shape` (L,), of ids below `vocabulary`.

    `width`: of the embedding; `depth`: blocks; `heads`: of attention in each.
    Weights start as in the paper: from N(0, 0.02²), where a residual branch ends by the square root
    of the number of branches less. Raises ValueError for other inputs and for several classes.
    """
    if len(shape) != 1 or classes != 1:
        raise ValueError(
            f"architecture gpt2 needs windows of token ids (L,) and one class, not inputs of shape"
            f" {shape} and {classes} classes"
        )
    if width % heads:
        raise ValueError(f"architecture gpt2: width {width} cannot be shared among {heads} heads")
    return LanguageModel(shape[0], vocabulary, width, depth, heads)


class LanguageModel(nn.Module):
    """What it answers about a window is in the module's docstring."""

    def __init__(self, length: int, vocabulary: int, width: int, depth: int, heads: int):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(torch.empty(length, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        for name, weights in self.named_parameters():
            if weights.dim() == 2:
                ends = name.endswith(("project.weight", "outer.weight"))
                nn.init.normal_(weights, std=0.02 / sqrt(2 * depth) if ends else 0.02)

    def states(self, x):
        """(B, L) ids -> (B, L, width): what position t knows of the tokens before x_t."""
        before = pad(x[:, :-1].long(), (1, 0), value=START)
        state = self.tokens(before) + self.places
        for block in self.blocks:
            state = block(state)
        return self.norm(state)

    def features(self, x):
        """Return the mean state of a window: (B, L) -> (B, width)."""
        return self.states(x).mean(1)

    def log_laws(self, x):
        """Return log Pr[v | x_1 ... x_{t-1}] of every v: (B, L) -> (B, L, V), float32 at least."""
        scores = self.states(x) @ self.tokens.weight.T
        precise = torch.promote_types(scores.dtype, torch.float32)
        return scores.log_softmax(-1, dtype=precise)

    def log_probabilities(self, x):
        """Return log Pr[x_t | x_1 ... x_{t-1}]: (B, L) -> (B, L)."""
        return self.log_laws(x).gather(-1, x.long()[..., None])[..., 0]

    def token_statistics(self, x):
        """Return log p(x_t), and mean and deviation of log p(v), v ~ p: (B, L) -> (B, L, 3).

        p is Pr[. | x_1 ... x_{t-1}].
        """
        return torch.cat([_statistics(self.log_laws(part), part) for part in self._parts(x)])

    def forward(self, x):
        """(B, L) ids -> (B, 2): log p and log(1 - p)."""
        parts = self._parts(x)
        return with_complement(torch.cat([self.log_probabilities(part).mean(1) for part in parts]))

    def _parts(self, x):
        numbers = AT_ONCE.get(x.device.type, AT_ONCE["cuda"])
        return x.split(max(1, numbers // (x.shape[1] * self.tokens.num_embeddings)))


class Block(nn.Module):
    """Causal self-attention and an MLP of four times the width, each normed and added."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.project = _linear(width, 3 * width), _linear(width, width)
        self.inner, self.outer = _linear(width, 4 * width), _linear(4 * width, width)

    def forward(self, state):
        """(B, L, width) -> (B, L, width)."""
        state = state + self.project(self._attention(self.norm1(state)))
        return state + self.outer(gelu(self.inner(self.norm2(state)), approximate="tanh"))

    def _attention(self, state):
        """Softmax of q k / sqrt(d) over the positions up to each one's own, of every head."""
        q, k, v = self.attend(state).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        similarity = q @ k.transpose(-1, -2) / sqrt(q.shape[-1])  # (B, heads, L, L)
        later = torch.ones_like(similarity[0, 0], dtype=torch.bool).triu(1)
        shares = similarity.masked_fill(later, -torch.inf).softmax(-1)
        return (shares @ v).transpose(1, 2).flatten(2)


def _statistics(log_laws, x):  # (B, L, V), (B, L) -> (B, L, 3)
    own, laws = log_laws.gather(-1, x.long()[..., None])[..., 0], log_laws.exp()
    mean = (laws * log_laws).sum(-1)
    variance = (laws * (log_laws - mean[..., None]) ** 2).sum(-1)
    return torch.stack([own, mean, variance.sqrt()], -1)


def with_complement(log_p):
    """Return (log p, log(1 - p)) of log p (B,), with phi as exact as log p is: (B, 2).

    1 - p = -expm1(log p) loses no digits where p is near 1; where p rounds to 1, it is the smallest
    number there is instead of 0.
    """
    log_p = log_p.clamp(max=-torch.finfo(log_p.dtype).tiny)
    return torch.stack([log_p, (-log_p.expm1()).log()], -1)


def _linear(before, after):
    """Return a linear layer whose biases start at 0."""
    layer = nn.Linear(before, after)
    nn.init.zeros_(layer.bias)
    return layer
