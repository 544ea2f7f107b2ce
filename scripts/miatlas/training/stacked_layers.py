"""Layers of K models at once without `vmap`, for networks that are a chain of simple ones.

With it, a stack of small perceptrons spends as much time in Python as in its products. Here a
linear layer is one `product` of all models, with a gradient that lies in memory as the weights do.
"""

from collections.abc import Iterator

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from miatlas.training.architectures.base import Network
from miatlas.training.products import product


class Product(torch.autograd.Function):
    """x W^T + b of K models: x (K, B, I), weights (K, O, I), biases (K, O) -> (K, B, O)."""

    @staticmethod
    def forward(context, x, weight, bias):
        """Multiply and add the biases."""
        context.save_for_backward(x, weight)
        return product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(context, gradient):
        """Return the gradients (K, B, I), (K, O, I) and (K, O): those that are asked for."""
        x, weight = context.saved_tensors
        of_x, of_weight, of_bias = context.needs_input_grad
        return (
            product(gradient, weight.mT) if of_x else None,
            gradient_of_weight(x, gradient, weight) if of_weight else None,
            gradient.sum(1) if of_bias else None,
        )


def gradient_of_weight(x, gradient, weight):
    """Return the gradient (K, O, I) of the weights, in memory as they are."""
    if weight.is_contiguous():
        return product(gradient.mT, x.mT)
    return product(x.mT, gradient.mT).mT


ELEMENTWISE = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.GELU, nn.Identity)


def chain(network: nn.Module) -> list[tuple[str, nn.Module]] | None:
    """Return the layers of a network in the order of their calls, by name, or None.

    None stands for a network that has others than the ones of this module, or is no chain.
    """
    layers = list(_leaves("", network))
    linear = [layer for _, layer in layers if isinstance(layer, nn.Linear)]
    shared = len(set(linear)) < len(linear)  # whose weights have one name, and two places
    return None if shared or not all(_known(layer) for _, layer in layers) else layers


def laid_out(layers: list, parameters: dict) -> dict:
    """Return the parameters, the first linear layer's weights (K, O, I) in memory as (K, I, O).

    A product x W^T goes through them as they lie then, a quarter faster where an input has hundreds
    of numbers. The product for the gradient of x is slower for it; nobody asks for the first's.
    """
    first = next((f"{name}.weight" for name, layer in layers if type(layer) is nn.Linear), None)
    turned = lambda weight: weight.mT.contiguous().mT  # noqa: E731
    return {n: turned(tensor) if n == first else tensor for n, tensor in parameters.items()}


def forward(layers: list, stacked: dict, x: torch.Tensor) -> torch.Tensor:
    """Return the logits (K, B, C) of x (K, B, ...) by a chain whose parameters are `stacked`."""
    for name, layer in layers:
        if isinstance(layer, nn.Flatten):
            x = x.flatten(2)
        elif isinstance(layer, nn.Linear):
            x = Product.apply(x, stacked[f"{name}.weight"], stacked[f"{name}.bias"])
        else:
            x = layer(x)
    return x


def recorded(layers: list, stacked: dict, x: torch.Tensor):
    """Return the logits as `forward` does, and (name, input, output) of each linear layer.

    Outputs can be differentiated by; parameters are taken for constants.
    """
    linear = []
    for name, layer in layers:
        if isinstance(layer, nn.Flatten):
            x = x.flatten(2)
        elif isinstance(layer, nn.Linear):
            weight, bias = (stacked[f"{name}.{part}"].detach() for part in ("weight", "bias"))
            output = Product.apply(x, weight, bias)
            output = output if output.requires_grad else output.requires_grad_()
            linear.append((name, x.detach(), output))
            x = output
        else:
            x = layer(x)
    return x, linear


def _leaves(name, module) -> Iterator[tuple[str, nn.Module]]:
    if type(module) is Network:
        children = [("body", module.body), ("head", module.head)]
    elif type(module) is nn.Sequential:
        children = module._modules.items()  # named_children() tells of one used twice only once
    else:
        yield name, module
        return
    for part, child in children:
        yield from _leaves(f"{name}.{part}".lstrip("."), child)


def _known(layer) -> bool:
    if type(layer) is nn.Linear:
        return layer.bias is not None
    if type(layer) is nn.Flatten:
        return (layer.start_dim, layer.end_dim) == (1, -1)
    return type(layer) in ELEMENTWISE
