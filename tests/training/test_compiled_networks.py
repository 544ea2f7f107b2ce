"""Networks are compiled on a GPU where that pays; compiled ones give what plain ones give.

There is no GPU here: what is compiled is traced, and run on the CPU.
"""

import pytest
import torch
from test_architectures import build
from test_training import CLASSES, MAKERS, PLAIN, SHAPE, data, models, silent
from torch.func import functional_call

from miatlas.signals import queries
from miatlas.training import compiled_networks, ensemble, trainer
from miatlas.training.compiled_networks import PAYING, Compiled, network_call, possible

pytestmark = pytest.mark.usefixtures("one_thread")
GPU, CPU = torch.device("cuda", 0), torch.device("cpu")
ASKED = {"count": 1, "mirror": False, "shift": 1, "logits": "first", "temperature": 1.0}


class Counting(Compiled):
    """Counts the calls that are compiled ones."""

    def __init__(self, size):
        super().__init__(size, backend="eager")
        self.count, call = 0, self.call

        def counted(*arguments):
            self.count += 1
            return call(*arguments)

        self.call = counted


def everything_compiled(monkeypatch, module):
    """Have a module compile whatever it is asked about; return what it was asked."""
    asked = []

    def call(device, images, size):
        asked.append((images, Counting(size)))
        return asked[-1][1]

    monkeypatch.setattr(module, "network_call", call)
    return asked


def test_compiled_is_what_pays_on_a_gpu(monkeypatch):
    monkeypatch.setattr(compiled_networks, "possible", lambda: True)
    assert isinstance(network_call(GPU, PAYING, 8), Compiled)
    assert network_call(GPU, PAYING - 1, 8) is functional_call
    assert network_call(CPU, PAYING, 8) is functional_call
    monkeypatch.setattr(compiled_networks, "possible", lambda: False)
    assert network_call(GPU, PAYING, 8) is functional_call


@pytest.mark.parametrize(
    ("triton", "compilers", "said"),
    [(object(), {"gcc"}, True), (object(), {"mine"}, True), (None, {"gcc"}, False),
     (object(), set(), False)],
)  # fmt: skip
def test_a_machine_compiles_that_has_triton_and_a_compiler(monkeypatch, triton, compilers, said):
    monkeypatch.setattr(compiled_networks, "find_spec", lambda name: triton)
    monkeypatch.setattr(compiled_networks.shutil, "which", lambda name: name in compilers or None)
    monkeypatch.setenv("CC", "mine")
    assert possible() is said


def test_batches_of_other_sizes_are_not_compiled_anew():
    network, call = build("fast_resnet"), Counting(4)
    state = dict(network.named_parameters()) | dict(network.named_buffers())
    x = torch.randn(6, 3, 32, 32)
    for size in (4, 3, 6, 4):
        with torch.no_grad():
            found = call(network, state, (x[:size],))
            torch.testing.assert_close(found, functional_call(network, state, (x[:size],)))
    assert call.count == 2


def test_models_in_turn_train_alike_compiled(monkeypatch):
    plain, compiled = (train(monkeypatch, asked) for asked in (False, True))
    for name, tensor in plain.items():
        torch.testing.assert_close(compiled[name], tensor, rtol=1e-4, atol=1e-5)


def train(monkeypatch, compiled):
    """Return the weights of three CNNs, trained in turn on 40 examples each for two epochs."""
    recipe = PLAIN | {"engine": "in_turn", "epochs": 2}
    asked = everything_compiled(monkeypatch, trainer) if compiled else []
    group = models(range(3), sizes=(40,))
    weights, _ = trainer.train(MAKERS["cnn"], recipe, data(test=20), group, 40, 3, silent)
    for images, call in asked:
        steps = -(-40 // recipe["batch_size"])
        assert images == 3 * 2 * steps * recipe["batch_size"]
        assert call.count == 3 * 2 * steps
    assert len(asked) == compiled
    return weights


def test_models_answer_alike_compiled_and_whole_slices_are(monkeypatch):
    asked = everything_compiled(monkeypatch, ensemble)
    monkeypatch.setattr(queries, "SLICE", 16)
    group = ensemble.build(MAKERS["cnn"], [1, 2], CPU)
    monkeypatch.setattr(ensemble.Ensemble, "apart", lambda self, device: self.models > 1)
    x, labels = torch.randn(40, *SHAPE), torch.arange(40) % CLASSES
    found = [arrays()["logits"] for _, arrays in queries.extract(group, x, labels, ASKED, True)]
    (images, call), *_ = asked
    assert images == 2 * 40  # models, examples, one query
    assert call.count == 2 * 2  # both models about two whole slices of three
    expected = torch.stack([group.part(slice(k, k + 1)).answer(x)[0] for k in range(2)])
    torch.testing.assert_close(torch.cat([torch.from_numpy(f) for f in found], 1), expected)


def test_questions_come_in_slices_of_one_size(monkeypatch):
    monkeypatch.setattr(ensemble, "AT_ONCE", {"cpu": 10, "cuda": 10})
    group = ensemble.build(MAKERS["cnn"], [1], CPU)
    sizes = lambda n: [s.stop - s.start for s in group.slices(n, torch.zeros(1, 2))]  # noqa: E731
    assert (sizes(12), sizes(5), sizes(6), sizes(0)) == ([4, 4, 4], [5], [3, 3], [])
