"""Networks of a user's own: whatever they answer is asked as logits, or refused in one line."""

import re
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from miatlas.training import own_training
from miatlas.training.batches import Data, Model
from miatlas.training.ensemble import Ensemble
from miatlas.training.networks import architecture, builder
from miatlas.training.outputs import AsLogits, check, check_logits

X = torch.randn(12, 5, generator=torch.Generator().manual_seed(1))
NETWORK = """
from torch import nn
import helper

def build(shape, classes, *, width: int = 4):
    return nn.Sequential(nn.Linear(shape[0], helper.twice(width)), nn.ReLU(),
                         nn.BatchNorm1d(2 * width), nn.Dropout(0.5),
                         nn.Linear(2 * width, classes))

def train(x, labels, seed, device):
    import torch
    network = build(x.shape[1:], 3).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network.train()(x), labels).backward()
        optimizer.step()
    return network
"""


@pytest.fixture
def entry(tmp_path):
    (tmp_path / "helper.py").write_text("def twice(n):\n    return 2 * n\n")
    (tmp_path / "network.py").write_text(NETWORK)
    return {"name": str(tmp_path / "network.py"), "width": 4}


class Answering(nn.Module):
    """A linear model, and what it makes of its logits."""

    def __init__(self, made, classes=3):
        super().__init__()
        torch.manual_seed(2)
        self.head, self.made = nn.Linear(5, classes), made

    def forward(self, x):
        return self.made(self.head(x))


OUTPUTS = {
    "logits": (lambda z: z, None),
    "a dictionary": (lambda z: {"logits": z, "loss": 1.0}, None),
    "an object": (lambda z: SimpleNamespace(logits=z), None),
    "picked of several": (lambda z: (z.exp(), z), lambda output: output[1]),
    "half precision": (lambda z: z.half(), None),
}


@pytest.mark.parametrize(("made", "pick"), OUTPUTS.values(), ids=OUTPUTS)
def test_logits_are_found_in_what_a_network_answers(made, pick):
    network = Answering(made)
    found = AsLogits(network, 3, pick)(X)
    assert torch.allclose(found.float(), network.head(X), atol=2e-3)


@pytest.mark.parametrize("made", [lambda z: z, lambda z: z[:, 0]], ids=["(B, 1)", "(B,)"])
def test_one_logit_is_two_classes(made):
    """Its sigmoid is the probability of class 1."""
    network = Answering(made, classes=1)
    p = AsLogits(network, 2)(X).softmax(1)[:, 1]
    assert torch.allclose(p, network.head(X)[:, 0].sigmoid(), atol=1e-6)


REFUSED = {
    "a tuple": (lambda z: (z, z), "answers a tuple: define logits(output)"),
    "a dictionary": (lambda z: {"a": z, "b": z}, "answers a dict of a, b: define logits(output)"),
    "one logit for three": (lambda z: z[:, :1], "answers (12, 1) about 12 examples of 3 classes"),
    "a map": (lambda z: z[:, :, None], "answers (12, 3, 1)"),
    "a sum": (lambda z: z.sum(), "answers ()"),
}


@pytest.mark.parametrize(("made", "said"), REFUSED.values(), ids=REFUSED)
def test_other_answers_are_refused_by_what_they_are(made, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        AsLogits(Answering(made), 3)(X)


class OfTheBatch(nn.Module):
    def forward(self, x):
        return (x - x.mean(0)) * 3


BEHAVIOUR = {
    "random": (lambda x: functional.dropout(x, 0.5), "answers differently each time"),
    "of the batch": (OfTheBatch(), "by what else is in the batch"),
    "not finite": (lambda x: x / 0, "not finite"),
    "another shape": (nn.Linear(7, 3), "fails on examples of shape (5,): "),
}


@pytest.mark.parametrize(("answer", "said"), BEHAVIOUR.values(), ids=BEHAVIOUR)
def test_a_network_that_cannot_be_asked_is_refused_by_why(answer, said):
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        check(answer, X)
    assert "\n" not in str(refused.value)
    check(nn.Linear(5, 3), X)


def test_probabilities_are_no_logits():
    logits = torch.randn(50, 3, generator=torch.Generator().manual_seed(3))
    check_logits(logits)
    check_logits(logits.log_softmax(1))
    for wrong in (logits.softmax(1), AsLogits(nn.Sequential(nn.Linear(5, 1), nn.Sigmoid()), 2)(X)):
        with pytest.raises(ValueError, match="answers probabilities"):
            check_logits(wrong)


def test_a_file_is_an_architecture_with_its_neighbours_and_options(entry):
    """Asked in evaluation mode, dropout and batch norm rest."""
    network = builder(entry, (5,), 3)()
    with torch.no_grad():
        network.train()(X)
    network.eval()
    group = Ensemble.from_networks([network], torch.device("cpu"))
    assert torch.equal(group.answer(X)[0], network.network(X))
    check(lambda x: group.answer(x)[0], X)
    assert not architecture(entry).STACKABLE


FAULTS = {
    "def build(shape, classes):\n    return 1": "build() returns int, not a torch.nn.Module",
    "def build(shape, classes):\n    return shape.no": "build() failed: AttributeError",
    "from torch import nn\ndef build(shape, classes):\n    return nn.ReLU()": "has no parameters",
    "import nothing_of_that_name": "line 1: ModuleNotFoundError",
    "x = (": "line 1: SyntaxError",
}


@pytest.mark.parametrize(("text", "said"), FAULTS.items())
def test_what_is_wrong_with_a_file_is_said_by_line(tmp_path, text, said):
    (tmp_path / "faulty.py").write_text(text)
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        builder({"name": str(tmp_path / "faulty.py")}, (5,), 3)()
    assert str(refused.value).startswith(str(tmp_path / "faulty.py"))


def own_data():
    stream = np.random.default_rng(5)
    x = torch.from_numpy(stream.normal(size=(90, 5)).astype(np.float32))
    labels = torch.from_numpy(stream.integers(3, size=90))
    none = torch.zeros(0, dtype=int)
    return Data(x, labels, none, none)


def models(*numbers):
    return [Model(m, np.arange(m, 40 + m), 100 + m, 0, 0) for m in numbers]


def test_own_training_is_called_once_a_model_with_its_examples_and_seed(entry):
    """Whatever else is trained with it, a model is what the function makes of these alone."""
    own, data = architecture(entry), own_data()
    train = partial(own_training.train, own, builder(entry, (5,), 3), data, classes=3)
    said = []
    weights, history = train(models(3, 4, 5), progress=lambda *words: said.append(words[0]))
    assert said == [[3], [4], [5]]
    alone, row = train(models(4), progress=lambda *_: None)
    assert all(torch.equal(weights[name][1], alone[name][0]) for name in weights)
    assert history[1] == row[0]
    torch.manual_seed(104)
    direct = own.module.train(data.x[4:44], data.labels[4:44], 104, torch.device("cpu")).eval()
    assert torch.equal(weights["network.0.weight"][1], direct[0].weight)
    right = direct(data.x).argmax(1) == data.labels
    others = [i for i in range(90) if not 4 <= i < 44]
    assert history[1]["train_accuracy"] == pytest.approx(right[4:44].float().mean().item())
    assert history[1]["test_accuracy"] == pytest.approx(right[others].float().mean().item())


def test_own_training_that_returns_another_network_is_refused(entry, tmp_path):
    text = NETWORK.replace("build(x.shape[1:], 3)", "build(x.shape[1:], 3, width=8)")
    (tmp_path / "other.py").write_text(text)
    own = architecture({"name": str(tmp_path / "other.py")})
    with pytest.raises(ValueError, match="returns another network than build"):
        own_training.train(own, builder(entry, (5,), 3), own_data(), models(0), 3, lambda *_: None)
