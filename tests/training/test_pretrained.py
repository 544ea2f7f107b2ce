"""Training begins with another network's weights: all but a head of other classes."""

import re

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from miatlas.training import ensemble, initial_weights
from miatlas.training.state_dicts import pretrained


def network(classes, width=5, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.Linear(width, classes))


def saved(path, state):
    torch.save({"epoch": 3, "state_dict": {f"module.{n}": t for n, t in state.items()}}, path)
    return path


def test_all_is_taken_of_a_network_of_as_many_classes(tmp_path):
    state = network(3, seed=1).state_dict()
    found = pretrained(saved(tmp_path / "a.pt", state), network(3), 3)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)
    save_file(state, tmp_path / "a.safetensors")
    again = pretrained(tmp_path / "a.safetensors", network(3), 3)
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_a_head_of_other_classes_is_left_out(tmp_path):
    path = saved(tmp_path / "a.pt", network(1000, seed=1).state_dict())
    found = pretrained(path, network(3), 3)
    assert set(network(3).state_dict()) - set(found) == {"2.weight", "2.bias"}


def test_models_begin_alike_and_each_with_a_head_of_its_own(tmp_path):
    state = network(1000, seed=1).state_dict()
    path = saved(tmp_path / "a.pt", state)
    make = initial_weights.begun(lambda: network_of_now(3), str(path), 3)
    group = ensemble.build(make, [5, 6], torch.device("cpu"))
    weights = group.weights()
    for k in range(2):
        assert torch.equal(weights["0.weight"][k], state["0.weight"])
        assert torch.equal(weights["1.running_mean"][k], state["1.running_mean"])
    torch.manual_seed(6)
    assert torch.equal(weights["2.weight"][1], network_of_now(3)[2].weight)
    assert not torch.equal(weights["2.weight"][0], weights["2.weight"][1])


def network_of_now(classes):
    """A network whose weights are drawn from wherever torch's generator stands."""
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, classes))


def spoiled(value):
    state = network(3).state_dict()
    state["0.bias"][2] = value
    return state


WRONG = {
    "another width": (network(3, width=6).state_dict(), "0.weight has the shape (6, 4), the netw"),
    "a layer less": (
        {n: t for n, t in network(9).state_dict().items() if n[0] != "0"}, "missing 0.weight"),
    "a layer more": (network(9).state_dict() | {"3.weight": torch.ones(2)}, "unexpected 3.weight"),
    "not finite": (spoiled(float("nan")), "0.bias is not finite"),
    "no weights": ({}, "holds no state dict"),
}  # fmt: skip


@pytest.mark.parametrize(("state", "said"), WRONG.values(), ids=WRONG)
def test_what_is_not_this_networks_is_named(tmp_path, state, said):
    path = saved(tmp_path / "a.pt", state)
    with pytest.raises(ValueError, match=re.escape(str(path))) as refused:
        pretrained(path, network(3), 3)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
