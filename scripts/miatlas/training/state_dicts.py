"""State dicts of others, fitted to their network: of released models, or to begin training with."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from miatlas.training.weight_files import read

WRAPPERS = ("module", "_orig_mod", "network", "model", "net")  # DataParallel, torch.compile, ...
BESIDE = {"n_averaged"}  # what torch's averaged models keep beside their weights
DEPTH = 3  # of dictionaries in dictionaries, where a checkpoint holds more than its weights


def released(paths: list, network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights of the files as those of K models: name -> (K, ...), floats as float32.

    A file holds one model, or several stacked on a leading axis. Dictionaries around the state
    dict are opened, and the prefixes of DataParallel and of compiled modules taken off. Names are
    the network's (the first one of tensors that it shares); buffers that are in no state dict are
    the network's own. Raises ValueError in one line, naming the file, for one that is damaged, that
    holds more than weights, that is not of this network, or whose weights are not finite.
    """
    models = [_fitted(read(path), network, path) for path in map(Path, paths)]
    stacked = {name: torch.cat([model[name] for model in models]) for name in models[0]}
    for name, tensor in stacked.items():
        bad = ~torch.isfinite(tensor.reshape(len(tensor), -1)).all(1)
        if bad.any():
            where = paths[int(bad.nonzero()[0])] if len(paths) == len(tensor) else paths[0]
            raise ValueError(f"{where}: {name} is not finite in model {int(bad.nonzero()[0])}")
    count = len(next(iter(stacked.values())))
    own = {n: b for n, b in network.named_buffers() if n not in stacked}
    return stacked | {n: b.expand(count, *b.shape).clone() for n, b in own.items()}


def pretrained(path, network: torch.nn.Module, classes: int) -> dict[str, torch.Tensor]:
    """Return the tensors of a file that training of the network begins with, by name.

    They are all of the network's but its head's, where that has other classes than the file's: the
    one layer whose tensors begin with the number of classes, and differ in that alone. It stays
    as it was initialised. Raises ValueError in one line, naming the file, for one that is damaged,
    not of this network, or not finite.
    """
    wanted, found = _tensors_of(network), {}
    for place, state in _state_dicts(read(Path(path))):
        named = _unwrapped(state, wanted)
        head = {names for names in wanted if _of_head(named, names, wanted[names], classes)}
        layers = {names[0].rpartition(".")[0] for names in head}
        kept = {n: t for n, t in named.items() if not any(n in names for names in head)}
        rest = {names: shape for names, shape in wanted.items() if names not in head}
        found[place] = _misfit(kept, rest)[0] if len(layers) < 2 else f"heads {_some(layers)}"
        if not found[place] and rest:
            result = {names[0]: kept[next(n for n in names if n in kept)] for names in rest}
            return _finite(result, path)
    said = next(iter(found.values()), "holds no state dict") or "nothing in it but a head"
    raise ValueError(f"{path}: not of this network: {said}")


def _of_head(state, names, shape, classes) -> bool:
    """Say whether a tensor has the network's classes where the file has others, and only that."""
    stored = next((tuple(state[name].shape) for name in names if name in state), ())
    alike = len(stored) == len(shape) > 0 and stored[1:] == shape[1:]
    return alike and shape[0] == classes and stored[0] != classes


def _finite(tensors, path):
    result = {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}
    for name, tensor in result.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{path}: {name} is not finite")
    return result


# From what a file holds to the network's tensors ------------------------------------------------


def _fitted(content: Mapping, network, path) -> dict[str, torch.Tensor]:
    """Return the network's tensors (K, ...) by name, of the one state dict that is theirs."""
    wanted = _tensors_of(network)
    places = {place: _unwrapped(state, wanted) for place, state in _state_dicts(content)}
    if not places:
        there = _some(map(str, content)) or "nothing"
        raise ValueError(f"{path}: holds no state dict, but {there}")
    found = {place: _misfit(state, wanted) for place, state in places.items()}
    fitting = [place for place, (wrong, _) in found.items() if not wrong]
    if len(fitting) > 1:
        raise ValueError(
            f"{path}: holds several models ({', '.join(fitting)}): save the released one alone"
        )
    if not fitting:
        closest = max(places, key=lambda place: len(places[place].keys() & set().union(*wanted)))
        raise ValueError(f"{path}: not of this network: {found[closest][0]}")
    state, stacked = places[fitting[0]], found[fitting[0]][1]
    result = {}
    for names in wanted:
        tensor = state[next(name for name in names if name in state)]
        tensor = tensor if stacked else tensor[None]
        result[names[0]] = tensor.float() if tensor.is_floating_point() else tensor
    return result


def _state_dicts(content, place="", depth=DEPTH) -> Iterator[tuple[str, dict]]:
    """Yield the named tensors of every dictionary, by its place in the file."""
    named = {k: v for k, v in content.items() if isinstance(v, torch.Tensor) and isinstance(k, str)}
    if named:
        yield place or "the file itself", named
    for key, value in content.items() if depth else ():
        if isinstance(value, Mapping):
            yield from _state_dicts(value, f"{place}.{key}".lstrip("."), depth - 1)


def _tensors_of(network) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Return the shapes of the tensors in a state dict, each under all of its names."""
    names, shapes = {}, {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        names.setdefault(id(tensor), []).append(name)
        shapes[id(tensor)] = tuple(tensor.shape)
    return {tuple(names[key]): shapes[key] for key in names}


def _unwrapped(state, wanted):
    """Return the tensors under the names that they had before the model was wrapped."""
    known = {name for names in wanted for name in names}
    result = {}
    for name, tensor in state.items():
        while name not in known and name.split(".", 1)[0] in WRAPPERS and "." in name:
            name = name.split(".", 1)[1]
        if name not in known:
            name = ".".join(part for part in name.split(".") if part != "_orig_mod")
        result[name] = tensor
    return {n: t for n, t in result.items() if n in known or n not in BESIDE}


def _misfit(state, wanted) -> tuple[str, bool]:
    """Say what of a state dict is not the network's ("" if nothing), and if it is a stack."""
    stored = {n: t.shape for n, t in state.items() if not _strange(t)}
    plain = _differences(stored, wanted, tuple)
    counts = {shape[0] if shape else None for shape in stored.values()}
    of_one = lambda shape: tuple(shape[1:])  # noqa: E731
    alike = len(counts) == 1 and None not in counts
    if plain and alike and not _differences(stored, wanted, of_one):
        return "", True
    strange = [n for n, t in state.items() if _strange(t)]
    return (f"{strange[0]} is sparse, quantised or on no device" if strange else plain), False


def _strange(tensor):
    return tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta


def _differences(stored, wanted, of_one) -> str:
    known = {name for names in wanted for name in names}
    missing = [names[0] for names in wanted if not any(name in stored for name in names)]
    unexpected = [name for name in stored if name not in known]
    wrong = [
        f"{name} has the shape {of_one(stored[name])}, the network's {shape}"
        for names, shape in wanted.items()
        for name in names
        if name in stored and of_one(stored[name]) != shape
    ]
    parts = [f"missing {_some(missing)}"] if missing else []
    parts += [f"unexpected {_some(unexpected)}"] if unexpected else []
    return "; ".join(parts + wrong[:1])


def _some(names) -> str:
    names = list(names)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
