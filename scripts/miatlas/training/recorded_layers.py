"""Each example's gradient of a network's parameters from one backward pass, where layers are known.

While a network is called, every use of its parameters is recorded. If all of them are weights and
biases of linear layers, convolutions and group norms, each used once, then the gradient of the
losses by these layers' outputs, and their inputs, give each example's gradient of the parameters.
"""

from dataclasses import dataclass

import torch
from torch.func import functional_call
from torch.nn import functional
from torch.overrides import TorchFunctionMode

ASKED_ONLY = {"__get__", "dim", "size", "numel", "stride"}  # say something of a parameter


@dataclass
class Use:
    """One call of a layer: its function, input, parameters' names, options, and (later) its δ."""

    function: object
    x: torch.Tensor
    weight: str | None
    bias: str | None
    options: dict
    delta: torch.Tensor | None = None


def gradients(one, state: dict, x, y, loss):
    """Return each example's gradients by name (B, ...), its loss (B,) and logits (B, C), or None.

    `one` is an ensemble of one model, `state` its tensors without the leading axis. None: the
    network uses a parameter in a way that is not known here, or twice.
    """
    names = {id(state[name]): name for name in one.parameters}
    with torch.enable_grad(), Recorder(names) as recorder:
        logits = full(functional_call(one.network, state, (x,)))
    used = [name for use in recorder.uses for name in (use.weight, use.bias) if name]
    if recorder.unknown or sorted(used) != sorted(one.parameters):
        return None
    losses = loss(logits[None], y[None])[0]
    torch.autograd.grad(losses.sum(), recorder.roots)
    result = {}
    with torch.autocast(x.device.type, enabled=False):  # sums of many products: in full
        for use in recorder.uses:
            result |= RULES[use.function](use, state)
    return result, losses.detach(), logits.detach()


def full(x: torch.Tensor) -> torch.Tensor:
    """Return numbers of at least 32 bits."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class Recorder(TorchFunctionMode):
    """Records the layers that are called, and says if a parameter is used in any other way."""

    def __init__(self, names: dict[int, str]):
        super().__init__()
        self.names, self.uses, self.roots, self.unknown = names, [], [], False

    def __torch_function__(self, function, types, arguments=(), options=None):
        """Call the function; if it is a layer with parameters, record it."""
        options = options or {}
        given = [*arguments, *options.values()]
        if not any(id(each) in self.names for each in given):
            return function(*arguments, **options)
        if function in RULES:
            return self._record(function, SIGNATURES[function](*arguments, **options))
        self.unknown |= getattr(function, "__name__", "") not in ASKED_ONLY
        return function(*arguments, **options)

    def _record(self, function, given):
        x, weight, bias, options = given
        named = self.names.get(id(weight)), self.names.get(id(bias))
        use = Use(function, x.detach(), *named, options)
        output = function(x, **options, weight=weight, bias=bias)
        if not output.requires_grad:  # parameters are constants here: begin a graph at this layer
            root = output.new_zeros((), requires_grad=True)
            self.roots.append(root)
            output = output + root
        output.register_hook(lambda delta: setattr(use, "delta", delta))
        self.uses.append(use)
        return output


def _linear(x, weight, bias=None):
    return x, weight, bias, {}


def _convolution(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    return x, weight, bias, {
        "stride": stride, "padding": padding, "dilation": dilation, "groups": groups
    }  # fmt: skip


def _norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    return x, weight, bias, {"num_groups": num_groups, "eps": eps}


def _of_linear(use, state):
    """δ x^T, summed over what axes there are between the first and the last."""
    x, delta = (full(t).reshape(len(t), -1, t.shape[-1]) for t in (use.x, use.delta))
    return _named(use, torch.bmm(delta.mT, x), delta.sum(1))


def _of_convolution(use, state):
    """δ times the patches of x, each group of channels for itself."""
    shape, how = state[use.weight].shape, use.options
    patches = functional.unfold(
        full(use.x), shape[2:], how["dilation"], how["padding"], how["stride"]
    )
    patches = patches.view(len(patches) * how["groups"], -1, patches.shape[-1])
    delta = full(use.delta).flatten(2)
    split = delta.reshape(len(patches), -1, delta.shape[-1])
    return _named(use, torch.bmm(split, patches.mT).view(-1, *shape), delta.sum(2))


def _of_norm(use, state):
    """δ times what was normalised, summed over positions."""
    normal = functional.group_norm(full(use.x), use.options["num_groups"], eps=use.options["eps"])
    delta = full(use.delta).flatten(2)
    return _named(use, (delta * normal.flatten(2)).sum(2), delta.sum(2))


def _named(use, weight, bias):
    return {name: g for name, g in ((use.weight, weight), (use.bias, bias)) if name}


SIGNATURES = {
    functional.linear: _linear, torch.conv2d: _convolution, functional.group_norm: _norm,
}  # fmt: skip
RULES = {
    functional.linear: _of_linear, torch.conv2d: _of_convolution, functional.group_norm: _of_norm,
}  # fmt: skip
