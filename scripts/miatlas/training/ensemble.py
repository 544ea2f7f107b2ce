"""K models of one architecture behind one interface: called together, on stacked parameters."""

import math

import torch
from torch.func import functional_call, vmap

from miatlas.training import stacked_layers
from miatlas.training.architectures.base import autocasting
from miatlas.training.compiled_networks import network_call

SMALL = 512  # numbers in an input up to which probing a stack pays on a CPU
AT_ONCE = {"cpu": 2**18, "cuda": 2**24}  # numbers put in at once: more leave the cache of a CPU


def stacks(engine: str, architecture, shape: tuple[int, ...], device: torch.device) -> bool:
    """Say whether a block's models are probed as one stack; `engine: auto` takes what is faster.

    On a GPU that is expected to be a stack (it has not been measured). On a CPU, 16 MLPs on 1x8x8
    take 41 ms together and 64 ms one by one to answer noisy copies, 29 and 49 for gradients; on 446
    features 220 and 315, 151 and 182; CNNs on 1x8x8 510 and 420, 33 and 71. Large inputs are not
    stacked there. What is trained as one stack, `stack_sizes` says.
    Networks whose module says STACKABLE = False are never stacked.
    """
    if engine == "stacked" and not architecture.STACKABLE:
        raise ValueError(f"engine: {architecture.__name__} cannot be stacked; use one_by_one")
    if engine == "auto":
        return architecture.STACKABLE and (device.type != "cpu" or math.prod(shape) <= SMALL)
    return engine == "stacked"


class Ensemble:
    """K models whose parameters and buffers are stacked on a leading axis: (K, ...) each.

    A chain of simple layers is called as `stacked_layers` are. Of other networks one model is
    called plainly; K > 1 are vectorised by `torch.func.vmap`, which turns linear layers into
    batched products and convolutions into grouped ones.
    Stacked networks must not draw at random (dropout): the draws would depend on the stack.
    `call` is what calls one network, as `functional_call` does.
    """

    def __init__(
        self, network: torch.nn.Module, parameters: dict, buffers: dict, call=functional_call
    ):
        self.network, self.parameters, self.buffers = network, parameters, buffers
        self.call = call  # of one model
        self.models = len(next(iter(parameters.values())))
        self.layers = stacked_layers.chain(network)

    @classmethod
    def from_networks(cls, networks: list[torch.nn.Module], device) -> "Ensemble":
        """Stack freshly built networks; their parameters become leaves that can be trained."""
        parameters = _stack([dict(n.named_parameters()) for n in networks], device)
        layers = stacked_layers.chain(networks[0])
        parameters = stacked_layers.laid_out(layers, parameters) if layers else parameters
        buffers = _stack([dict(n.named_buffers()) for n in networks], device)
        leaves = {name: tensor.requires_grad_() for name, tensor in parameters.items()}
        return cls(networks[0].to(device), leaves, buffers)

    @classmethod
    def from_weights(cls, network: torch.nn.Module, weights: dict, device) -> "Ensemble":
        """Take stacked weights as they were stored: name -> (K, ...) array.

        Raises ValueError if they are not the network's: one that is missing would stay random.
        """
        stored = {name: tuple(array.shape[1:]) for name, array in weights.items()}
        own = dict(network.named_parameters())
        every = own | dict(network.named_buffers())  # a tensor that is shared has one name here
        expected = {name: tuple(tensor.shape) for name, tensor in every.items()}
        for name in sorted(stored.keys() | expected.keys()):
            if stored.get(name) != expected.get(name):
                raise ValueError(
                    f"weights {name}: the shape of one model is {stored.get(name, 'absent')},"
                    f" that of the network {expected.get(name, 'absent')}"
                )
        tensors = {name: torch.as_tensor(array).to(device) for name, array in weights.items()}
        return cls(
            network.to(device),
            {name: tensor for name, tensor in tensors.items() if name in own},
            {name: tensor for name, tensor in tensors.items() if name not in own},
        )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (K, B, C) of x (K, B, ...): each model its own batch."""
        return self._call(x, 0)

    @torch.no_grad()
    def answer(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits (K, B, C) of x (B, ...), in evaluation mode, as released."""
        if self.network.training:  # to say it to every layer for every slice takes a while
            self.network.eval()
        if not self.apart(x.device):
            return self._call(x, None)
        return torch.cat([self.part(slice(k, k + 1))._call(x, None) for k in range(self.models)])

    def apart(self, device: torch.device) -> bool:
        """Say whether the models answer one after the other.

        They do on a GPU, unless they are a chain of linear layers: a stack's convolutions are
        grouped ones there, and slower.
        """
        return self.models > 1 and device.type == "cuda" and self.layers is None

    def slices(self, n: int, x: torch.Tensor) -> list[slice]:
        """Cut n of the examples x (N, ...) into slices that the models answer at once."""
        return slices(n, x, 1 if self.apart(x.device) else self.models)

    def weights(self) -> dict:
        """Return all stacked parameters and buffers, detached."""
        return {n: t.detach() for n, t in (self.parameters | self.buffers).items()}

    def part(self, models: slice) -> "Ensemble":
        """Return some of the models as an ensemble of their own, on the same memory."""
        cut = lambda tensors: {name: tensor[models] for name, tensor in tensors.items()}  # noqa: E731
        return Ensemble(self.network, cut(self.parameters), cut(self.buffers), self.call)

    def compiled(self, x: torch.Tensor, n: int, queries: int) -> "Ensemble":
        """Return the same models, compiled if that pays for so many queries of all x (N, ...).

        `n` of them are asked at once, in their slices.
        """
        if not (self.models == 1 or self.apart(x.device)):
            return self
        size = self.slices(min(n, len(x)), x)[0].stop
        call = network_call(x.device, self.models * len(x) * queries, size)
        return Ensemble(self.network, self.parameters, self.buffers, call)

    def features(self) -> "Ensemble":
        """Return the same models cut off at their features: they answer (K, B, d), not logits.

        Raises ValueError if the network has no `features`.
        """
        return self._asked_for("features")

    def token_statistics(self) -> "Ensemble":
        """Return the same language models, answering (K, B, 3 L): what they know of each token.

        Raises ValueError if the network has no `token_statistics`.
        """
        return self._asked_for("token_statistics")

    def _asked_for(self, method):
        if not hasattr(self.network, method):
            raise ValueError(f"the network {type(self.network).__name__} has no {method}(x)")
        inside = lambda tensors: {f"network.{name}": t for name, t in tensors.items()}  # noqa: E731
        network = _Asked(self.network, method)
        return Ensemble(network, inside(self.parameters), inside(self.buffers))

    def _call(self, x, axis):
        if self.layers and not autocasting(x.device.type) and (self.models > 1 or x.is_cpu):
            x = x if axis == 0 else x.expand(self.models, *x.shape)
            return stacked_layers.forward(self.layers, self.parameters, x)
        if self.models == 1:
            stacked = self.parameters | self.buffers
            state = {name: tensor.squeeze(0) for name, tensor in stacked.items()}
            x = x if axis is None else x[0]
            return self.call(self.network, state, (_channels_last(x),))[None]

        def one(parameters, buffers, x):
            return functional_call(self.network, (parameters, buffers), (x,))

        x = _channels_last(x) if x.device.type == "cpu" else x
        return vmap(one, in_dims=(0, 0, axis))(self.parameters, self.buffers, x)


def slices(n: int, x: torch.Tensor, models: int = 1) -> list[slice]:
    """Cut n of the examples x (N, ...) into slices of about one size, put to models at once."""
    numbers = AT_ONCE.get(x.device.type, AT_ONCE["cuda"])
    most = max(1, numbers // (models * math.prod(x.shape[1:])))
    step = -(-n // -(-n // most)) if n else most
    return [slice(start, start + step) for start in range(0, n, step)]


class _Asked(torch.nn.Module):
    """A network whose answer is that of another method of it, one vector an example."""

    def __init__(self, network: torch.nn.Module, method: str):
        super().__init__()
        self.network, self.method = network, method

    def forward(self, x):
        """(B, ...) -> (B, d)."""
        return getattr(self.network, self.method)(x).flatten(1)


def build(make, seeds: list[int], device) -> Ensemble:
    """Return the ensemble of `make()` networks, each initialised from its own seed."""
    networks = []
    with torch.random.fork_rng(devices=[]):
        for seed in seeds:
            torch.manual_seed(seed)
            networks.append(make())
    return Ensemble.from_networks(networks, device)


def _channels_last(x):
    """Lay images out in memory as convolutions are fastest on: (B, H, W, C), a stack's (K, C)."""
    if x.dim() == 4:
        return x.contiguous(memory_format=torch.channels_last)
    if x.dim() == 5:
        return x.permute(1, 3, 4, 0, 2).contiguous().permute(3, 0, 4, 1, 2)
    return x


def _stack(states, device):
    return {name: torch.stack([s[name].detach().to(device) for s in states]) for name in states[0]}
