"""Training, queries and probes on a device that is not the CPU, without one.

Tensors there say that they are on the device; their numbers are on the CPU. As on a GPU, operations
on tensors of both are refused, so are NumPy arrays of the device's, and random numbers there from
the CPU's generators. Results have to be those of the CPU. So a tensor is found that is left on the
CPU or made there, an array that is asked of the device, and a branch on the device that gives
something else. The device is torch's "lazy": of what torch has names for, the one whose gradients
need no driver.

What is not found: kernels that are missing, slow or less precise; what runs for "cuda" by name
(autocast, events, locks); memory; whatever does not wait for a GPU that is still at work. Autocast
on a GPU is imitated apart from this, on the CPU: inputs of convolutions and products are bfloat16.
"""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from importlib import import_module

import numpy as np
import pytest
import torch
from test_architectures import DEEP, NAMES, SMALL, SMALLEST, STACKABLE
from test_training import CLASSES, EVERYTHING, MAKERS, OPTIMIZERS, PLAIN
from test_training import data as examples
from test_training import models as some
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from miatlas.designs.roles import HELD_OUT, TEST
from miatlas.running import devices
from miatlas.running.store import read_h5, read_weights, write_h5
from miatlas.signals import queries as signals
from miatlas.signals.probes import distances, gradients, noise
from miatlas.training import ensemble
from miatlas.training import trainer as training
from miatlas.training.augmentation import KINDS
from miatlas.training.batches import Data

CPU, DEVICE = torch.device("cpu"), torch.device("lazy", 0)
MOVING = {"_to_copy", "copy_", "_local_scalar_dense"}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}


class There(torch.Tensor):
    """A tensor that says it is on the device; its `numbers` are on the CPU."""

    @staticmethod
    def __new__(cls, numbers):
        made = torch.Tensor._make_wrapper_subclass(
            cls, numbers.size(), strides=numbers.stride(), dtype=numbers.dtype, device=DEVICE,
            storage_offset=numbers.storage_offset(),
        )  # fmt: skip
        made.numbers = numbers
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, function, *_):
        raise RuntimeError(f"{function} outside of Device()")


class Device(TorchDispatchMode):
    """Have the device: what is put or made there is There, and computed on the CPU."""

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # otherwise torch's compiler is imported

    def __enter__(self):
        torch._C._set_only_lift_cpu_tensors(True)  # `as_tensor` makes a tensor here, then moves it
        return super().__enter__()

    def __exit__(self, *raised):
        torch._C._set_only_lift_cpu_tensors(False)
        return super().__exit__(*raised)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        """Compute what is asked; refuse what a GPU would."""
        kwargs = dict(kwargs or {})
        there = any(isinstance(leaf, There) for leaf in tree_leaves((args, kwargs)))
        if there:
            _refuse_mixtures(function.overloadpacket.__name__, args, kwargs)
        if kwargs.get("device") is not None:
            there = kwargs["device"].type == DEVICE.type
            kwargs["device"] = CPU
        if there and kwargs.get("generator") is not None:
            raise RuntimeError(f"{function}: the generator is the CPU's")
        here, options = tree_map_only(There, lambda x: x.numbers, (args, kwargs))
        found, returns = function(*here, **options), function._schema.returns
        if returns and returns[0].alias_info and returns[0].alias_info.is_write:
            return args[0]  # changed in place
        return tree_map_only(torch.Tensor, There, found) if there else found


def _refuse_mixtures(name, args, kwargs):
    """Refuse tensors of the CPU beside the device's; a GPU takes single numbers and indices."""
    if name in MOVING:
        return
    if name in INDEXING and isinstance(args[0], There):
        args = (args[0], *args[2:])
    for leaf in tree_leaves((args, kwargs)):
        if isinstance(leaf, torch.Tensor) and leaf.dim() and not isinstance(leaf, There):
            raise RuntimeError(f"{name}: tensors on the CPU and on the device")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def both(monkeypatch):
    """Return what calls a function of a device: on the CPU and on the device, without autocast."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())

    def call(function):
        expected = function(CPU)
        with Device():
            return function(DEVICE), expected

    return call


def moved(data: Data, device) -> Data:
    return Data(**{n: t if t is None else t.to(device) for n, t in vars(data).items()})


def trained(make, recipe, on, stacked, learners, device):
    """Return the weights of trained models as arrays, and their history."""
    arguments = PLAIN | recipe, moved(on, device), learners, len(learners[0].examples)
    weights, history = training.train(
        make, *arguments, len(learners) if stacked else 1, lambda *_: None
    )
    return {name: tensor.cpu().numpy() for name, tensor in weights.items()}, history


def agree(found, expected, tolerance=1e-4):
    """Compare weights (or answers) by name: the orders of additions may differ."""
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        scale = np.abs(array).max() + 1e-3
        np.testing.assert_allclose(found[name] / scale, array / scale, atol=tolerance, err_msg=name)


# The device itself -----------------------------------------------------------------------------


def test_numbers_are_computed_and_come_back():
    with Device():
        x = torch.arange(6.0).view(2, 3).to(DEVICE).requires_grad_()
        y = torch.as_tensor(np.ones((2, 3), np.float32), device=DEVICE)
        (x * y).square().sum().backward()
        assert x.device.type == x.grad.device.type == "lazy"
        assert x.grad.cpu().tolist() == [[0, 2, 4], [6, 8, 10]]
        assert x.sum().item() == 15


@pytest.mark.parametrize(
    "mistake",
    [
        lambda x: x + torch.ones(3),
        lambda x: torch.ones(3) + x,
        lambda x: torch.where(torch.ones(3, dtype=bool), x, 0.0),
        lambda x: torch.ones(3)[x.long()],
        lambda x: torch._foreach_add_([torch.ones(3)], [x]),
        lambda x: x.numpy(),
        lambda x: np.asarray(x),
        lambda x: torch.rand(3, device=x.device, generator=torch.Generator()),
    ],
)
def test_what_a_gpu_refuses_is_refused(mistake):
    with Device():
        x = torch.zeros(3, device=DEVICE)
        with pytest.raises((RuntimeError, TypeError)):
            mistake(x)


# Training --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in DEEP)) for n in STACKABLE]
)
def test_every_architecture_trains(name, both):
    n = 24
    shape, classes = ((3, *[max(16, SMALLEST[name])] * 2), 4) if name in NAMES else ((7,), 1)
    options = SMALL.get(name, {}) if name in NAMES else {"width": 8, "depth": 1, "vocabulary": 9}
    make = partial(
        import_module(f"miatlas.training.architectures.{name}").build, shape, classes, **options
    )
    generator, indices = torch.Generator().manual_seed(0), torch.arange(n)
    x = torch.randint(9, (n, *shape), generator=generator).float()
    on = Data(x, indices % classes, indices[:0], indices[20:])
    learners = some(range(2), sizes=(8,), high=20)
    recipe = {"batch_size": 8, "optimizer": {"name": "sgd", "lr": 1e-3}}
    (found, history), (expected, _) = both(partial(trained, make, recipe, on, True, learners))
    agree(found, expected, 1e-2)  # normalisation makes small differences large
    assert len(history) == 2


RECIPES = {
    **{name: {**EVERYTHING, "optimizer": optimizer} for name, optimizer in OPTIMIZERS.items()},
    **{kind: {"augmentation": {"name": kind}} for kind in KINDS},
    "early_stopping": {"epochs": 3, "early_stopping": 1},
    "early_stopping_of_the_mean": {"epochs": 3, "early_stopping": 1, "ema": 0.9},
}


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains(name, stacked, both):
    on, learners = examples(held_out=10, test=10), some(range(2), low=10, high=110)
    recipe = RECIPES[name]
    run = partial(trained, MAKERS["cnn"], recipe, on, stacked, learners)
    (found, history), (expected, rows) = both(run)
    agree(found, expected)
    assert [row["epoch"] for row in history] == [row["epoch"] for row in rows]


@pytest.mark.parametrize("stacked", [True, False])
def test_students_train(stacked, both):
    on = examples()
    answers = torch.rand(2, len(on.x), CLASSES, generator=torch.Generator().manual_seed(0))
    on.taught = answers.softmax(-1)
    learners = [replace(model, teacher=k) for k, model in enumerate(some(range(2)))]
    agree(*[w for w, _ in both(partial(trained, MAKERS["mlp"], {}, on, stacked, learners))])


# Questions -------------------------------------------------------------------------------------


def asked(queries, stacked, once, device):
    """Return phi and logits of a cohort's models; `once`: of which examples but the first."""
    on = examples()
    group = ensemble.build(MAKERS["cnn"], range(2), device)
    labels = on.labels.numpy()
    once = np.arange(len(labels)) >= once
    arguments = queries, stacked, lambda _: None, once
    parts = list(signals.extract(group, on.x.to(device), labels, *arguments))
    return parts[0][1]()


@pytest.mark.parametrize("once", [0, 9, 1000])
@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("logits", ["first", "all"])
def test_queries_are_answered(logits, stacked, once, both):
    queries = {"count": 18, "mirror": True, "shift": 1, "logits": logits, "temperature": 2.0}
    agree(*both(partial(asked, queries, stacked, once)))


PROBES = {
    "noise": partial(noise.measure, copies=5, deviations=[0.1, 0.3]),
    "distances": distances.measure,
    "gradients": gradients.measure,
}


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("name", ["cnn", "wide_resnet"])
def test_probes_are_answered(name, probe, both):
    build = import_module(f"miatlas.training.architectures.{name}").build
    make, x = partial(build, (3, 8, 8), 4, **SMALL[name]), torch.randn(12, 3, 8, 8)

    def measured(device):
        group = ensemble.build(make, range(2), device)
        return {probe: PROBES[probe](group, x.to(device), np.arange(12) % 4)}

    agree(*both(measured))


# Scripts ---------------------------------------------------------------------------------------


def test_scripts_run(tmp_path, both, monkeypatch):
    """From the files of a population to trained models, what they answer, and a probe."""
    pytest.importorskip("pydantic")  # what the workflow needs beside torch, NumPy and HDF5
    import probe_models
    import query_models
    import train_models

    from miatlas.study import entries

    n, models, shape = 48, 2, (3, 16, 16)
    rng, files = np.random.default_rng(0), {}
    member = np.zeros((models, n), bool)
    member[:, :40] = rng.random((models, 40)) < 0.5
    role = np.repeat([0, HELD_OUT, TEST], [40, 4, 4]).astype(np.uint8)
    arrays = {
        "population": {
            "x": rng.integers(0, 256, (n, *shape), np.uint8), "labels": np.arange(n) % CLASSES,
            "mean": np.full(3, 0.5, np.float32), "deviation": np.full(3, 0.3, np.float32),
            "canary": np.zeros(n, bool),
        },
        "roles": {"role": role},
        "membership": {"member": member, "evaluated": np.ones_like(member)},
    }  # fmt: skip
    facts = {"scale": 255.0, "size": 20, "population": "p", "digest": "d", "class_names": "[]"}
    for name, content in arrays.items():
        files[name] = str(tmp_path / f"{name}.h5")
        write_h5(files[name], content, facts)
    architecture = {"name": "fast_resnet", "widths": [24, 8, 8]}
    recipe = entries.recipe({"architecture": architecture, "epochs": 1, "batch_size": 8}, "recipe")
    common = {"cohort": "c", "seed": 0, "models": [0, models], "engine": "stacked"}
    training_settings = {**common, "recipe": {**recipe, "engine": "stacked"}, "teacher": None}
    queries = {"count": 2, "mirror": True, "shift": 2, "logits": "first", "temperature": 1.0}
    asking = {**common, "architecture": recipe["architecture"], "queries": queries}
    probing = {**asking, "probe": "distances", "options": {}}

    def run(device):
        monkeypatch.setattr(devices, "take", lambda: device)
        out = {name: str(tmp_path / f"{device.type}_{name}") for name in ("w", "h", "s", "p")}
        common = {**files, "weights": out["w"]}
        train_models.main(**common, history=out["h"], settings=training_settings)
        query_models.main(**common, signals=out["s"], settings=asking)
        read = {"population": files["population"], "weights": out["w"]}
        probe_models.main(**read, answers=out["p"], settings=probing)
        answers = read_h5(out["s"], ["phi", "logits"]) | read_h5(out["p"])
        return read_weights(out["w"]) | answers

    agree(*both(run), 1e-2)


# bfloat16 --------------------------------------------------------------------------------------


class Autocast(TorchFunctionMode):
    """Give convolutions and products inputs in bfloat16, as a GPU's autocast does in a stack."""

    CAST = (torch.conv2d, functional.linear, torch.matmul, torch.Tensor.matmul)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        """Call the function, its tensors cast."""
        if function in self.CAST:
            args, kwargs = tree_map_only(torch.Tensor, lambda x: x.bfloat16(), (args, kwargs or {}))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["cnn", "fast_resnet", "vgg3", "wide_resnet"])
def test_a_stack_takes_steps_in_bfloat16(name):
    """Without `BatchNorm` the norms fail: here on the way forth, on a GPU on the way back."""
    build = import_module(f"miatlas.training.architectures.{name}").build
    make = partial(build, (3, 16, 16), 4, **SMALL.get(name, {}))
    torch.manual_seed(0)
    x, y = torch.randn(2, 16, 3, 16, 16), torch.arange(16).expand(2, -1) % 4

    def step(context):
        group = ensemble.build(make, range(2), CPU)
        with context:
            logits = group(x).float()
        functional.cross_entropy(logits.flatten(0, 1), y.flatten()).backward()
        gradients = [p.grad.flatten() for p in group.parameters.values()]
        return torch.cat(gradients), group.buffers

    (found, moved_by), (expected, buffers) = step(Autocast()), step(nullcontext())
    assert not torch.equal(found, expected)
    assert torch.cosine_similarity(found, expected, 0) > 0.98
    for key, value in buffers.items():
        torch.testing.assert_close(moved_by[key], value, rtol=0.03, atol=0.03)
