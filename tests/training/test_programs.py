"""Programs of TorchScript: asked as the network that they were made of, which is the oracle."""

import json
import os
import pickle
import subprocess
import sys
import zipfile

import accept_models
import numpy as np
import pandas as pd
import probe_models
import pytest
import query_models
import torch
from torch import nn

from miatlas.running.store import read_h5, read_weights, write_h5
from miatlas.signals.trained_models import load
from miatlas.study import demands
from miatlas.training import programs

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning"
)
N, CLASSES = 40, 3
MEMBERS = np.arange(N) < 20
NOISE = {"copies": 5, "deviations": [0.01, 3.0]}


def examples(classes=CLASSES):
    """Return images (N, 1, 6, 6) of which the classes are told by eye, and their labels."""
    rng = np.random.default_rng(3)
    labels = np.arange(N) % classes
    x = rng.normal(0, 0.3, (N, 1, 6, 6)).astype(np.float32)
    x[np.arange(N), 0, 0, labels] += 3
    return x, labels


class Network(nn.Module):
    """Layers that act otherwise in training, and as many answers as `kind` says."""

    def __init__(self, kind="logits", classes=CLASSES):
        super().__init__()
        torch.manual_seed(1)
        self.kind, self.classes = kind, classes
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(144, classes)

    def forward(self, x):
        seen = self.body(x).flatten(1)
        logits = self.head(self.drop(seen))
        logits = logits + 9 * x[:, 0, 0, : self.classes]
        one = logits[:, 1] - logits[:, 0]
        return {
            "logits": lambda: logits, "pair": lambda: (seen, logits), "probabilities":
            lambda: logits.softmax(1), "named": lambda: {"logits": logits, "seen": seen},
            "dictionary": lambda: {"z": logits, "seen": seen}, "one": lambda: one,
            "one column": lambda: one[:, None], "one probability": lambda: one.sigmoid(),
        }[self.kind]()  # fmt: skip


def program(network, x=None):
    x = torch.from_numpy(examples()[0]) if x is None else x
    return torch.jit.trace(network, x[:2], strict=False, check_trace=False)


def traced(network, path, x=None):
    program(network, x).save(str(path))
    return str(path)


def asked(folder, files, classes=CLASSES, **options):
    """Accept programs as the workflow does; return what they answer (K, N, C), and the log."""
    x, labels = examples(classes)
    arrays = {"x": x, "labels": labels, "mean": np.zeros(1), "deviation": np.ones(1)}
    facts = {
        "class_names": json.dumps([str(k) for k in range(classes)]),
        "scale": 1.0, "population": "mine", "digest": "0",
    }  # fmt: skip
    write_h5(folder / "population.h5", arrays, facts)
    masks = {
        "member": np.stack([MEMBERS] * len(files)),
        "evaluated": np.ones((len(files), N), bool),
    }
    write_h5(folder / "membership.h5", masks, {})
    write_h5(folder / "roles.h5", {"role": np.zeros(N, np.uint8)}, {})
    entry = {"name": "torchscript", **options}
    accept_models.main(
        population=str(folder / "population.h5"),
        membership=str(folder / "membership.h5"),
        released=files,
        weights=str(folder / "weights.safetensors"),
        history=str(folder / "history.csv"),
        settings={
            "cohort": "mine",
            "models": len(files),
            "at_chance": "stop",
            "architecture": entry,
        },
    )
    settings = {"architecture": entry, "engine": "auto"}
    group, tensor, _, stacked = load(
        str(folder / "population.h5"), str(folder / "weights.safetensors"), settings
    )
    assert not stacked
    return torch.cat([group.answer(tensor[s]) for s in group.slices(N, tensor)], 1).numpy()


def answer_of(network):
    with torch.no_grad():
        return network.eval()(torch.from_numpy(examples(network.classes)[0]))


@pytest.mark.parametrize("make", ["trace", "script", "freeze"])
def test_a_program_answers_what_its_network_answers(tmp_path, make, capsys):
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(36), nn.Dropout(), nn.Linear(36, CLASSES))
    network.classes = CLASSES
    with torch.no_grad():
        network[3].weight.zero_()
        network[3].weight[range(CLASSES), range(CLASSES)] = 5
    network.eval()
    if make == "trace":
        traced(network, tmp_path / "model.pt")
    else:
        program = torch.jit.script(network)
        (torch.jit.freeze(program) if make == "freeze" else program).save(tmp_path / "model.pt")
    found = asked(tmp_path, [str(tmp_path / "model.pt")])
    assert np.allclose(found[0], answer_of(network), atol=1e-5)
    said = capsys.readouterr().out
    assert said.startswith("mine: model 0 is right about 100.0% of its 20 members")
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["train_accuracy"].tolist() == [1]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("logits", {}), ("pair", {"output": 1}), ("named", {}), ("named", {"output": "logits"}),
        ("dictionary", {"output": "z"}),
    ],
)  # fmt: skip
def test_logits_are_found_among_several_outputs(tmp_path, kind, options):
    found = asked(tmp_path, [traced(Network(kind).eval(), tmp_path / "model.pt")], **options)
    assert np.allclose(found[0], answer_of(Network("logits")), atol=1e-5)


@pytest.mark.parametrize("kind", ["one", "one column", "one probability"])
def test_one_number_is_two_classes(tmp_path, kind):
    options = {"answers": "probabilities"} if kind == "one probability" else {}
    network = Network(kind, 2).eval()
    file = traced(network, tmp_path / "model.pt")
    [found] = asked(tmp_path, [file], classes=2, **options)
    wanted = np.asarray(answer_of(Network("one", 2)), np.float64)
    if options:
        wanted = np.clip(wanted, np.log(1e-6), -np.log(1e-6))
    assert np.allclose(found[:, 1] - found[:, 0], wanted, rtol=1e-4, atol=1e-3)


def test_probabilities_are_asked_for_by_name_and_clipped(tmp_path):
    file = traced(Network("probabilities").eval(), tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"model\.pt: model answers probabilities, and not logits:"
                       r" .* \(architecture: answers: probabilities\)"):  # fmt: skip
        asked(tmp_path, [file])
    [found] = asked(tmp_path, [file], answers="probabilities")
    wanted = np.clip(answer_of(Network("logits")).softmax(1).numpy(), 1e-6, 1 - 1e-6)
    assert np.allclose(np.exp(found), wanted, atol=1e-6)


def test_half_precision_is_widened(tmp_path):
    x = torch.from_numpy(examples()[0])
    file = traced(Network().eval().half(), tmp_path / "model.pt", x.half())
    [found] = asked(tmp_path, [file])
    assert found.dtype == np.float32
    assert np.allclose(found, answer_of(Network().half().float()), atol=1e-5)


def test_each_file_is_a_model_in_their_order(tmp_path):
    one, other = Network().eval(), Network().eval()
    with torch.no_grad():
        other.head.bias += 0.5
    files = [traced(one, tmp_path / "a.pt"), traced(other, tmp_path / "b.pt")]
    found = asked(tmp_path, files)
    assert found.shape == (2, N, CLASSES)
    assert np.allclose(found[0], answer_of(one), atol=1e-5)
    assert np.allclose(found[1], answer_of(other), atol=1e-5)
    assert sorted(read_weights(tmp_path / "weights.safetensors")) == ["program.0", "program.1"]


def test_signals_and_probes_of_a_program_are_those_of_its_answers(tmp_path):
    """The whole way of the jobs: phi of its logits, and labels of noisy copies, one a program."""
    files = [traced(Network().eval(), tmp_path / f"{k}.pt") for k in range(2)]
    logits = torch.from_numpy(asked(tmp_path, files)).double()
    settings = {
        "architecture": {"name": "torchscript", "output": None, "answers": "logits"},
        "engine": "auto", "cohort": "mine", "models": [0, 2],
        "queries": {"count": 2, "mirror": True, "shift": 0, "logits": "first", "temperature": 1.0},
    }  # fmt: skip
    paths = {name: str(tmp_path / f"{name}.h5") for name in ("population", "roles", "membership")}
    weights = str(tmp_path / "weights.safetensors")
    query_models.main(
        **paths, weights=weights, signals=str(tmp_path / "signals.h5"), settings=settings
    )
    signals = read_h5(tmp_path / "signals.h5")
    own = torch.from_numpy(np.eye(CLASSES, dtype=bool)[examples()[1]])
    phi = logits[:, own] - logits.masked_fill(own, -np.inf).logsumexp(2)
    assert np.allclose(signals["phi"][..., 0], phi, atol=1e-4)
    assert not np.allclose(signals["phi"][..., 1], phi, atol=1e-2)
    for probe in demands.NOISY:
        probe_models.main(
            population=paths["population"], weights=weights, answers=str(tmp_path / "probe.h5"),
            settings={"probe": probe, "options": NOISE, **settings},
        )  # fmt: skip
        answers = read_h5(tmp_path / "probe.h5")[probe]
        assert answers.shape == (2, N, 2)
        assert np.array_equal(answers[0], answers[1])
        if probe == "noisy_labels":
            assert answers[..., 0].mean() > 0.9 > answers[..., 1].mean()


# What is refused ---------------------------------------------------------------------------------


class Two(nn.Module):
    def forward(self, x: torch.Tensor, mask: torch.Tensor):
        return x.flatten(1) * mask


LINE = r"\A[^\n]+\Z"
HALF = torch.from_numpy(examples()[0]).half()


def of_the_batch():
    return nn.Sequential(nn.Flatten(), nn.Linear(36, CLASSES), nn.BatchNorm1d(CLASSES)).train()


REFUSED = {
    "several outputs": (
        lambda: program(Network("pair").eval()), {},
        "answers several outputs: name its logits (architecture: output: one of 0, 1)",
    ),
    "another key": (
        lambda: program(Network("dictionary").eval()), {},
        "answers several outputs: name its logits (architecture: output: one of z, seen)",
    ),
    "no such output": (
        lambda: program(Network("pair").eval()), {"output": 2},
        "answers no output 2 of numbers: name its logits (architecture: output: one of 0, 1)",
    ),
    "one output": (
        lambda: program(Network().eval()), {"output": "logits"},
        "answers no output 'logits' of numbers: name its logits (architecture: output: one of one",
    ),
    "other classes": (
        lambda: program(Network(classes=2).eval()), {},
        "answers (16, 2) about 16 examples of 3 classes: logits are to be (16, 3)",
    ),
    "dropout": (
        lambda: program(Network().train()), {}, "a program is made of network.eval()",
    ),
    "batch norm": (lambda: program(of_the_batch()), {}, "a program is made of network.eval()"),
    "another shape": (
        lambda: torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(35, CLASSES))), {},
        "fails on examples of shape (1, 6, 6): RuntimeError: mat1 and mat2 shapes cannot be",
    ),
    "more inputs": (
        lambda: torch.jit.script(Two()), {},
        "fails on examples of shape (1, 6, 6): forward() is missing value for argument 'mask'",
    ),
    "half precision within": (
        lambda: torch.jit.freeze(program(Network().eval().half(), HALF)), {},
        "fails on examples of shape (1, 6, 6): RuntimeError: Input type (torch.FloatTensor) and",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "options", "said"), REFUSED.values(), ids=REFUSED)
def test_what_a_program_cannot_be_asked_is_said_in_one_line(tmp_path, make, options, said):
    make().save(str(tmp_path / "m.pt"))
    with pytest.raises(ValueError, match=LINE) as error:
        asked(tmp_path, [str(tmp_path / "m.pt")], **options)
    assert str(error.value).startswith(f"{tmp_path}/m.pt: the program ")
    assert said in str(error.value)


def refusal(path):
    with pytest.raises(ValueError, match=LINE) as error:
        programs.read(path)
    said = str(error.value)
    assert said.startswith(f"{path}: ")
    return said


def test_what_is_no_torchscript_is_refused_by_what_it_is(tmp_path):
    assert "there is no such file" in refusal(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("network")
    assert "damaged, or no TorchScript" in refusal(tmp_path / "text.pt")
    torch.save(Network().state_dict(), tmp_path / "state.pt")
    assert "an archive, but not one of TorchScript" in refusal(tmp_path / "state.pt")


def test_an_exported_program_is_refused_with_the_way_to_torchscript(tmp_path):
    """And that way leads there."""
    network, x = Network("named").eval(), torch.from_numpy(examples()[0])
    batch = {"x": {0: torch.export.Dim("batch")}}
    exported = torch.export.export(network, (x[:3],), dynamic_shapes=batch)
    torch.export.save(exported, tmp_path / "model.pt2")
    said = refusal(tmp_path / "model.pt2")
    assert "torch.export (.pt2), which torch reads by unpickling what stands in it" in said
    assert "torch.jit.trace(program.module(), x).save(...)" in said
    [found] = asked(tmp_path, [traced(exported.module(), tmp_path / "model.pt")])
    assert np.allclose(found, answer_of(Network("logits")), atol=1e-5)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    network = Network().eval()
    with torch.no_grad():
        network.head.bias[1] = np.nan
    assert "head.bias is not finite" in refusal(traced(network, tmp_path / "model.pt"))


def rewritten(source, target, change):
    """Write an archive anew, each member as `change(name, content)` has it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            packing = zipfile.ZIP_DEFLATED if "/code/" in info.filename else zipfile.ZIP_STORED
            new.writestr(info.filename, change(info.filename, old.read(info)), packing)
    return target


def said_of(path):
    """Return what a refusal says; nothing where the file is read."""
    try:
        programs.read(path)
    except ValueError as error:
        return str(error)
    return ""


def test_a_damaged_program_is_refused(tmp_path):
    file = traced(Network().eval(), tmp_path / "model.pt")
    whole = (tmp_path / "model.pt").read_bytes()
    rng = np.random.default_rng(2)
    for k in range(40):
        broken = bytearray(whole)
        place = int(rng.integers(len(whole)))
        broken[place] ^= 1 << int(rng.integers(8))
        broken = broken if k % 2 else broken[:place]
        (tmp_path / "broken.pt").write_bytes(broken)
        said = said_of(tmp_path / "broken.pt")
        assert said.startswith(f"{tmp_path}/broken.pt: ") or (k % 2 and not said)
        assert "\n" not in said
    cut = lambda name, content: b"def" if name.endswith(".py") else content  # noqa: E731
    assert "not readable TorchScript" in refusal(rewritten(file, tmp_path / "cut.pt", cut))


@pytest.mark.parametrize("member", ["code/__torch__.py", "data/0"])
def test_a_program_that_grows_is_refused_before_it_is_unpacked(tmp_path, member):
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/constants.pkl", b"0")
        archive.writestr(f"model/{member}", b"0" * 10**8)
    assert "compressed or claims more than the file has" in refusal(tmp_path / "bomb.pt")


class Command:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


WATCHED = """
import io, pickle, sys
import torch
from miatlas.training import programs
seen = set()

def read(file):
    seen.clear()
    try:
        programs.read(file)
        return "read"
    except ValueError:
        return "refused"

first = [read(file) for file in sys.argv[1:]]  # which imports what torch and errors need
sys.addaudithook(lambda event, _: seen.add(event))
for file in sys.argv[1:]:
    print(read(file), *sorted(seen & {"pickle.find_class", "exec", "os.system"}) or ["nothing"])
pickle.loads(pickle.dumps(io.BytesIO))  # what would be seen
print(*sorted(seen & {"pickle.find_class"}))
"""


def test_nothing_of_a_program_is_unpickled_by_python(tmp_path):
    """Neither of a sound one, nor where a pickle that runs a command stands in any of its parts."""
    file, mark = traced(Network().eval(), tmp_path / "model.pt"), tmp_path / "ran"
    evil = pickle.dumps(Command(f"touch {mark}"), protocol=2)
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.endswith("pkl")]
    assert {name.split("/", 1)[1] for name in names} >= {"data.pkl", "constants.pkl"}
    files = [file]
    for k, name in enumerate(names):
        put = lambda n, content, name=name: evil if n == name else content  # noqa: E731
        files.append(str(rewritten(file, tmp_path / f"evil{k}.pt", put)))
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WATCHED, *files],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    lines = run.stdout.splitlines()
    assert lines[0] == "read nothing", run.stderr
    assert all(line.endswith(" nothing") for line in lines[:-1]), lines
    assert "refused nothing" in lines
    assert lines[-1] == "pickle.find_class"
    assert len(lines) == len(files) + 1
    assert not mark.exists()
