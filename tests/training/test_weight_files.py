"""Weights of others: what they hold is taken whatever is wrapped round it, and nothing is run."""

import os
import pickle
import re
import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from miatlas.training.ensemble import Ensemble
from miatlas.training.state_dicts import released
from miatlas.training.weight_files import read


class Shared(nn.Module):
    """Two names for one tensor, batch norm's statistics, and a buffer that no state dict has."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4, bias=False)
        self.norm = nn.BatchNorm1d(4)
        self.second = nn.Linear(4, 4, bias=False)
        self.second.weight = self.first.weight
        self.head = nn.Linear(4, 3)
        self.register_buffer("shift", torch.arange(4.0), persistent=False)

    def forward(self, x):
        return self.head(self.second(self.norm(self.first(x))) + self.shift)


def trained(seed=0):
    """A network whose weights and statistics are not those of a fresh one."""
    torch.manual_seed(seed)
    network = Shared()
    network.train()(torch.randn(64, 4))
    return network.eval()


@pytest.fixture
def network():
    return trained()


X = torch.randn(7, 4, generator=torch.Generator().manual_seed(5))


def answers(weights):
    """What the workflow's ensemble of the weights answers: (K, 7, 3)."""
    return Ensemble.from_weights(Shared(), weights, torch.device("cpu")).answer(X)


def compiled(state):
    return {f"_orig_mod.{name}": tensor for name, tensor in state.items()}


def parallel(state):
    return {f"module.{name}": tensor for name, tensor in state.items()}


def saved(tmp_path, content, name="model.pt"):
    torch.save(content, tmp_path / name)
    return tmp_path / name


WRAPPED = {
    "plain": lambda s: s,
    "parallel": parallel,
    "compiled": compiled,
    "parallel and compiled": lambda s: parallel(compiled(s)),
    "a compiled part": lambda s: {n.replace("head.", "head._orig_mod."): t for n, t in s.items()},
    "averaged": lambda s: parallel(s) | {"n_averaged": torch.tensor(3)},
    "state_dict": lambda s: {"epoch": 3, "state_dict": s, "optimizer": {"state": {0: {"m": X}}}},
    "model": lambda s: {"model": parallel(s), "best": torch.tensor(0.9), "arguments": {"lr": 0.1}},
    "beside a number": lambda s: s | {"epoch": 3},
    "one name of two": lambda s: {n: t for n, t in s.items() if n != "second.weight"},
    "the other name": lambda s: {n: t for n, t in s.items() if n != "first.weight"},
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_the_state_dict_is_found_in_what_is_wrapped_round_it(tmp_path, network, wrap):
    path = saved(tmp_path, wrap(network.state_dict()))
    assert torch.equal(answers(released([path], Shared()))[0], network(X))


def test_safetensors_and_stacks_are_read_alike(tmp_path):
    networks = [trained(seed) for seed in range(3)]
    states = [network.state_dict() for network in networks]
    for state in states:
        del state["second.weight"]  # safetensors keeps no shared tensor
    files = [tmp_path / f"{k}.safetensors" for k in range(3)]
    for state, file in zip(states, files, strict=True):
        save_file(state, file)
    stack = {name: torch.stack([state[name] for state in states]) for name in states[0]}
    save_file(stack, tmp_path / "stack.safetensors")
    expected = torch.stack([network(X) for network in networks])
    for paths in (files, [tmp_path / "stack.safetensors"], [saved(tmp_path, stack)]):
        assert torch.allclose(answers(released(paths, Shared())), expected, atol=1e-6)


def test_half_precision_is_read_as_float32(tmp_path, network):
    path = saved(tmp_path, network.half().state_dict())
    weights = released([path], Shared())
    assert {t.dtype for t in weights.values()} == {torch.float32, torch.int64}
    assert torch.equal(answers(weights)[0], network.float()(X))


def refusal(path, network=None):
    """What is said of a file that is refused: one line, which names it."""
    with pytest.raises(ValueError, match=re.escape(str(path))) as refused:
        released([path], network or Shared())
    (line,) = str(refused.value).splitlines()
    assert line.startswith(str(path))
    return line.removeprefix(f"{path}: ")


def test_what_is_not_the_networks_is_named(tmp_path, network):
    state = network.state_dict()
    head = {n: t for n, t in state.items() if n != "head.bias"}
    said = refusal(saved(tmp_path, head | {"tail.bias": torch.zeros(3)}))
    assert said == "not of this network: missing head.bias; unexpected tail.bias"
    wide = state | {"head.weight": torch.zeros(5, 4)}
    assert "head.weight has the shape (5, 4), the network's (3, 4)" in refusal(
        saved(tmp_path, {"model": wide})
    )
    assert "unexpected a.0, a.1, a.2 and 7 more" in refusal(
        saved(tmp_path, state | {f"a.{k}": X for k in range(10)})
    )


def test_two_models_in_a_file_are_not_chosen_between(tmp_path, network):
    both = {"model": network.state_dict(), "ema": trained(1).state_dict()}
    assert "several models (model, ema)" in refusal(saved(tmp_path, both))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(tmp_path, value):
    networks = [trained(seed) for seed in range(2)]
    with torch.no_grad():
        networks[1].head.bias[0] = value
    paths = [saved(tmp_path, n.state_dict(), f"{k}.pt") for k, n in enumerate(networks)]
    assert refusal(paths[1]) == "head.bias is not finite in model 0"
    with pytest.raises(ValueError, match=f"{paths[1]}: head.bias is not finite in model 1"):
        released(paths, Shared())


# Malicious files ---------------------------------------------------------------------------------


class Command:
    """Unpickled, it runs a command of the shell."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_code_in_a_pickle_is_not_run(tmp_path, network):
    mark = tmp_path / "ran"
    command = Command(f"touch {mark}")
    hidden = {"state_dict": network.state_dict(), "more": command}
    assert "system" in refusal(saved(tmp_path, hidden))
    for protocol in (0, 2, 4):
        path = tmp_path / f"{protocol}.pt"
        path.write_bytes(pickle.dumps(hidden | {"state_dict": {}}, protocol=protocol))
        assert "neither safetensors nor an archive" in refusal(path)
    torch.save(hidden, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    refusal(tmp_path / "old.pt")
    assert not mark.exists()
    os.system(command.command)
    assert mark.exists()  # it would have


def test_a_whole_module_is_refused_by_what_it_is(tmp_path, network):
    assert "save network.state_dict() alone" in refusal(saved(tmp_path, network))
    assert "holds a list" in refusal(saved(tmp_path, [X]))
    assert "holds no state dict, but epoch" in refusal(saved(tmp_path, {"epoch": 3}))


def forged(source, target, pickled=lambda data: data, **more):
    """Write an archive of torch.save anew, with another pickle in it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", **more) as new:
        for member in old.infolist():
            content = old.read(member)
            new.writestr(
                member.filename,
                pickled(content) if member.filename.endswith("data.pkl") else content,
            )
    return target


LONG = b"\x8a\x06" + (10**12).to_bytes(6, "little")  # 10^12 as a pickle writes it


def larger(data, *, storage, shape, stride):
    """Make a pickled tensor of four numbers claim 10^12: in its storage, its shape, repeated."""
    cpu = data.index(b"cpu")
    four, one = data.index(b"K\x04\x85", cpu), data.index(b"K\x01\x85", cpu)
    if stride:
        data = data[:one] + b"K\x00" + data[one + 2 :]
    if shape:
        data = data[:four] + LONG + data[four + 2 :]
    if storage:
        number = data.index(b"K\x04", cpu)
        data = data[:number] + LONG + data[number + 2 :]
    return data


CLAIMS = {
    "storage": {"storage": True, "shape": False, "stride": False},
    "storage and shape": {"storage": True, "shape": True, "stride": False},
    "repeated": {"storage": False, "shape": True, "stride": True},
}


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
def test_an_array_of_10_12_takes_no_memory(tmp_path, claims):
    source = saved(tmp_path, {"weight": torch.ones(4)}, "small.pt")
    path = forged(source, tmp_path / "big.pt", lambda data: larger(data, **claims))
    before = peak_mb()
    refusal(path, nn.Linear(4, 1, bias=False))
    assert peak_mb() - before < 100


@pytest.mark.parametrize("what", ["builtins bytearray", "torch FloatTensor", "torch Tensor"])
def test_a_pickle_that_asks_for_memory_gets_none(tmp_path, what):
    """What torch's own unpickler lets through: objects that are made with a size."""
    data = b"\x80\x02c" + what.replace(" ", "\n").encode() + b"\n" + LONG + b"\x85R."
    source = saved(tmp_path, {"weight": torch.ones(4)}, "small.pt")
    path = forged(source, tmp_path / "big.pt", lambda _: data)
    before = peak_mb()
    refusal(path, nn.Linear(4, 1, bias=False))
    assert peak_mb() - before < 100


def test_the_limit_of_memory_is_lifted_again(tmp_path, network):
    before = resource.getrlimit(resource.RLIMIT_AS)
    released([saved(tmp_path, network.state_dict())], Shared())
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    source = saved(tmp_path, {"weight": torch.zeros(10**7)}, "small.pt")
    path = forged(source, tmp_path / "bomb.pt", compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**6
    assert "compressed or claims more" in refusal(path)


def test_a_safetensors_header_that_claims_too_much_is_refused(tmp_path):
    header = b'{"weight":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'
    path = tmp_path / "big.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 16)
    assert "not readable safetensors" in refusal(path)
    path.write_bytes((10**12).to_bytes(8, "little") + header)
    assert "not readable safetensors" in refusal(path)


@pytest.mark.parametrize("kept", [0, 5, 200, -30])
def test_a_file_cut_short_is_named(tmp_path, network, kept):
    for write, name in ((torch.save, "whole.pt"), (save_file, "whole.safetensors")):
        state = network.state_dict()
        del state["second.weight"]
        write(state, tmp_path / name)
        path = tmp_path / f"cut_{name}"
        path.write_bytes((tmp_path / name).read_bytes()[:kept])
        refusal(path)


def test_arrays_of_numpy_are_no_weights(tmp_path):
    np.savez(tmp_path / "arrays.npz", weight=np.ones(4))
    assert "not one of torch.save" in refusal(tmp_path / "arrays.npz")
    assert "no such file" in refusal(tmp_path / "absent.pt")


@pytest.mark.filterwarnings("ignore:Validating sparse")
def test_other_kinds_of_tensor_are_refused_by_name(tmp_path):
    sparse = {"weight": torch.eye(4).to_sparse()}
    said = refusal(saved(tmp_path, sparse), nn.Linear(4, 4, bias=False))
    assert "weight is sparse" in said
    assert set(read(Path(saved(tmp_path, {"a": X})))) == {"a"}


# Programs ----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_torchscript_is_refused_by_name_with_the_remedy_and_nothing_of_it_is_run(tmp_path):
    torch.jit.script(nn.Linear(4, 3)).save(tmp_path / "model.pt")
    said = refusal(tmp_path / "model.pt")
    assert "a program of TorchScript (torch.jit.save), and no weights of a network" in said
    assert "architecture: {name: torchscript}" in said


@pytest.mark.filterwarnings("ignore")
def test_an_exported_program_is_refused_by_name_and_nothing_of_it_is_unpickled(tmp_path):
    program = torch.export.export(nn.Linear(4, 3), (torch.ones(2, 4),))
    torch.export.save(program, tmp_path / "model.pt2")
    assert "a program of torch.export (.pt2)" in refusal(tmp_path / "model.pt2")
    mark = tmp_path / "ran"
    old, new = tmp_path / "model.pt2", tmp_path / "forged.pt2"
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            is_weight = "/data/weights/weight_" in name
            target.writestr(name, pickle.dumps(Command(f"touch {mark}")) if is_weight else content)
    assert "a program of torch.export (.pt2)" in refusal(new)
    assert not mark.exists()


@pytest.mark.parametrize("member", ["model/constants.pkl", "model/archive_format"])
def test_a_program_that_grows_is_refused_before_it_is_unpacked(tmp_path, member):
    with zipfile.ZipFile(tmp_path / "bomb.pt2", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, b"0" * 10**8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "a program of" in refusal(tmp_path / "bomb.pt2")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10**5  # kB
