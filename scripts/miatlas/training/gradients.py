"""The gradients of K models, each on a batch of its own: as one stack, or of one after the other.

Either leaves them in the group's parameters, stacked, so that one optimiser moves all models.
"""

import torch
from torch.func import functional_call

from miatlas.training import stacked_layers
from miatlas.training.objectives import Objective

STREAMS = 8  # models whose kernels may share a GPU: one alone does not fill it
WARM = 2  # passes before a graph is captured: libraries choose their algorithms meanwhile


def in_turn(engine: str, network: torch.nn.Module, device: torch.device) -> bool:
    """Say whether models take a step in turn, or all together.

    `auto` takes them in turn on a GPU, unless the network is a chain of linear layers.
    """
    if engine == "auto":
        return device.type == "cuda" and stacked_layers.chain(network) is None
    return engine == "in_turn"


class Together:
    """All models at once, in one forward and one backward pass of the stack."""

    def __init__(self, group, precision: str, objective: Objective):
        self.group, self.half, self.objective = group, precision == "bfloat16", objective

    def __call__(self, x, y):
        """Return the losses and the hits (K,) of x (K, B, ...), y (K, B) or (K, B, C)."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.half):
            outputs = self.group(x).float()  # (K, B, C)
        losses = self.objective.each(outputs, y).mean(1)
        for parameter in self.group.parameters.values():
            parameter.grad = None
        losses.sum().backward()  # models share no parameter: each gets its own gradient
        return losses.detach(), self.objective.hits(outputs.detach(), y)


class InTurn:
    """One model after the other, each by its own network's plain kernels.

    On a GPU the passes of all models are captured once as a CUDA graph, on several streams, and
    replayed in every step: no step waits for Python, and small kernels of several models run side
    by side. All batches must have one shape, and networks neither draw at random nor look at their
    values.
    """

    def __init__(self, group, precision: str, objective: Objective, call=functional_call):
        self.group, self.half, self.objective = group, precision == "bfloat16", objective
        self.call = call
        for parameter in group.parameters.values():
            parameter.grad = torch.zeros_like(parameter)
        self.models = [self._model(k) for k in range(group.models)]
        self.replay = None

    def __call__(self, x, y):
        """Return the losses and the hits (K,) of x (K, B, ...), y (K, B) or (K, B, C)."""
        if self.replay is None:
            self._prepare(x, y)
        self.x.copy_(x)
        self.y.copy_(y)
        self.replay()
        return self.losses.clone(), self.right.clone()

    def _model(self, k):
        """Return a model's leaves and buffers, and where its gradients go: views of the stack."""
        leaves = {n: p[k].detach().requires_grad_() for n, p in self.group.parameters.items()}
        buffers = {name: buffer[k] for name, buffer in self.group.buffers.items()}
        return leaves, buffers, [p.grad[k] for p in self.group.parameters.values()]

    def _prepare(self, x, y):
        """Make room for a batch and its answers, and capture the passes where there is a GPU."""
        flat = x.flatten(0, 1)
        last = torch.channels_last if flat.dim() == 4 else torch.contiguous_format
        kind = torch.bfloat16 if self.half and x.is_cuda and x.is_floating_point() else x.dtype
        self.x = torch.empty_like(flat, dtype=kind, memory_format=last).unflatten(0, x.shape[:2])
        self.y = y.clone()
        self.losses = x.new_zeros(len(x), dtype=torch.float32)
        self.right = torch.zeros_like(self.losses)  # NaN where the objective knows of no hits
        self.replay = self._captured(x, y) if x.is_cuda else self._passes

    def _captured(self, x, y):
        """Capture the passes; the statistics that trying them has moved are put back."""
        self.x.copy_(x)
        before = {name: buffer.clone() for name, buffer in self.group.buffers.items()}
        self.streams = [torch.cuda.Stream(x.device) for _ in range(min(STREAMS, len(x)))]
        aside = torch.cuda.Stream(x.device)
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM):
                self._passes(self.models[: len(self.streams)])
        torch.cuda.current_stream().wait_stream(aside)
        torch.cuda.synchronize()
        torch.cuda.empty_cache()  # the graph has memory of its own
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._passes()
        for name, buffer in before.items():
            self.group.buffers[name].copy_(buffer)
        return graph.replay

    def _passes(self, models=None):
        models = self.models if models is None else models
        if not self.x.is_cuda:
            for k, model in enumerate(models):
                self._pass(k, *model)
            return
        main = torch.cuda.current_stream()
        for stream in self.streams:
            stream.wait_stream(main)
        for k, model in enumerate(models):
            with torch.cuda.stream(self.streams[k % len(self.streams)]):
                self._pass(k, *model)
        for stream in self.streams:
            main.wait_stream(stream)

    def _pass(self, k, leaves, buffers, gradients):
        x, y = self.x[k], self.y[k]
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.half):
            outputs = self.call(self.group.network, (leaves, buffers), (x,)).float()[None]
        loss = self.objective.each(outputs, y[None]).mean(1)
        found = torch.autograd.grad(loss.sum(), list(leaves.values()))
        torch._foreach_copy_(gradients, found)
        self.losses[k] = loss.detach()[0]
        self.right[k] = self.objective.hits(outputs.detach(), y[None])[0]
