"""What models answer: against slow float64 arithmetic, in evaluation mode, the same for all."""

import math

import numpy as np
import pytest
import query_models
import torch
from torch import nn

from miatlas.running.store import write_h5
from miatlas.signals import queries as signals
from miatlas.signals.answers import Signals
from miatlas.training import augmentation, ensemble
from miatlas.training.architectures import cnn, mlp, wide_resnet
from miatlas.training.inputs import standardised

MAKERS = {
    "mlp": lambda: mlp.build((1, 8, 8), 5, widths=[16]),
    "cnn": lambda: cnn.build((1, 8, 8), 5, filters=4),
    "normalised": lambda: wide_resnet.build((1, 8, 8), 5, depth=10, width=1),
}
ONE = {"count": 1, "mirror": True, "shift": 1, "logits": "first", "temperature": 1.0}
NINE = {"count": 9, "mirror": False, "shift": 1, "logits": "all", "temperature": 1.0}


pytestmark = pytest.mark.usefixtures("one_thread")


def group(make="mlp", models=3, scale=1.0):
    result = ensemble.build(MAKERS[make], list(range(models)), torch.device("cpu"))
    for parameter in result.parameters.values():
        parameter.detach().mul_(scale)
    return result


def examples(n=40):
    x = torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return x, np.arange(n) % 5


def extracted(*arguments):
    """Return the whole arrays."""
    parts = [arrays() for _, arrays in signals.extract(*arguments)]
    return {name: np.concatenate([part[name] for part in parts], 1) for name in parts[0]}


def phi_slowly(logits, label):
    """Return log p_y - log sum of the other p_c, in exact sums of Python floats."""
    z = [float(v) for v in logits]
    top = max(v for c, v in enumerate(z) if c != label)
    rest = math.fsum(math.exp(v - top) for c, v in enumerate(z) if c != label)
    return z[label] - top - math.log(rest)


@pytest.mark.parametrize("scale", [1.0, 8.0])
@pytest.mark.parametrize("queries", [ONE, NINE])
def test_phi_is_that_of_the_logits_in_slow_arithmetic(scale, queries):
    x, labels = examples()
    given = extracted(group(scale=scale), x, labels, queries | {"logits": "all"}, True)
    assert given["phi"].dtype == given["logits"].dtype == np.float32
    for (m, i, q), phi in np.ndenumerate(given["phi"]):
        slow = phi_slowly(given["logits"][m, i, q], labels[i])
        assert phi == pytest.approx(slow, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("stacked", [True, False])
def test_logits_are_those_of_the_single_networks_on_the_moved_images(make, stacked):
    x, labels = examples()
    given = extracted(group(make), x, labels, NINE, stacked)
    specs = augmentation.queries(9, (1, 8, 8), mirror=False, shift=1)
    assert given["phi"].shape == (3, 40, 9)
    assert given["logits"].shape == (3, 40, 9, 5)
    for m in range(3):
        torch.manual_seed(m)
        network = MAKERS[make]().eval()
        for q, spec in enumerate(specs):  # the same images for every model
            expected = network(augmentation.query(x, spec)).detach().numpy()
            np.testing.assert_allclose(given["logits"][m, :, q], expected, atol=2e-5)


def test_the_first_query_is_the_untouched_example():
    x, labels = examples()
    one = extracted(group(), x, labels, ONE, True)
    nine = extracted(group(), x, labels, NINE, True)
    first = extracted(group(), x, labels, NINE | {"logits": "first"}, True)
    assert one["logits"].shape == first["logits"].shape == (3, 40, 5)
    assert one["phi"].shape == (3, 40, 1)
    for given in (one["logits"], first["logits"], nine["logits"][:, :, 0]):
        np.testing.assert_allclose(given, group().answer(x).numpy(), atol=1e-6)
    np.testing.assert_array_equal(first["phi"], nine["phi"])
    assert np.abs(nine["phi"][..., 1:] - nine["phi"][..., :1]).min(axis=(0, 1)).max() > 0


@pytest.mark.parametrize("make", MAKERS)
def test_stacked_and_one_by_one_give_the_same(make):
    x, labels = examples()
    together = extracted(group(make), x, labels, NINE, True)
    alone = extracted(group(make), x, labels, NINE, False)
    for name, array in together.items():
        np.testing.assert_allclose(array, alone[name], atol=2e-5)


def test_slices_of_examples_do_not_matter(monkeypatch):
    x, labels = examples()
    whole = extracted(group("cnn"), x, labels, NINE, True)
    monkeypatch.setitem(ensemble.AT_ONCE, "cpu", 21 * 64)
    assert len(group().slices(40, x)) == 6
    sliced = extracted(group("cnn"), x, labels, NINE, True)
    for name, array in whole.items():
        np.testing.assert_allclose(array, sliced[name], atol=1e-5)


def test_the_slices_are_those_of_the_file_and_progress_tells_all_examples(monkeypatch):
    x, labels = examples()
    monkeypatch.setattr(signals, "SLICE", 16)
    monkeypatch.setitem(ensemble.AT_ONCE, "cpu", 21 * 64)
    done = []
    slices = list(signals.extract(group("cnn"), x, labels, NINE, True, done.append))
    assert [where for where, _ in slices] == [slice(0, 16), slice(16, 32), slice(32, 40)]
    assert sum(done) == 40
    assert len(done) == 3 + 3 + 2  # seven examples at once
    for where, arrays in slices:
        own = extracted(group("cnn"), x[where], labels[where], NINE, True)
        for name, array in arrays().items():
            np.testing.assert_array_equal(array, own[name])


def test_a_stack_is_asked_as_one_where_that_is_faster_or_wanted():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert not signals.together("auto", True, cpu)
    assert signals.together("stacked", True, cpu)
    assert signals.together("auto", True, gpu)
    for engine in ("auto", "one_by_one"):
        assert not signals.together(engine, False, gpu)


def test_models_answer_in_evaluation_mode_and_are_left_unchanged():
    x, labels = examples()
    models = group("normalised")
    models.network.train()
    before = {name: tensor.clone() for name, tensor in models.weights().items()}
    one = extracted(models, x[:1], labels[:1], ONE, True)["logits"]
    many = extracted(models, x, labels, ONE, True)["logits"]
    np.testing.assert_allclose(one[:, 0], many[:, 0], atol=1e-5)  # no statistics of the batch
    assert all(torch.equal(tensor, before[name]) for name, tensor in models.weights().items())


@pytest.mark.parametrize("wrong", ["missing", "foreign", "shape"])
def test_weights_of_another_network_are_refused(wrong):
    weights = {name: tensor.numpy() for name, tensor in group().weights().items()}
    if wrong == "missing":
        del weights["head.bias"]
    elif wrong == "foreign":
        weights["tail.bias"] = weights["head.bias"]
    else:
        weights["head.bias"] = weights["head.bias"][:, :4]
    name = "tail.bias" if wrong == "foreign" else "head.bias"
    with pytest.raises(ValueError, match=f"weights {name}: the shape of one model is"):
        ensemble.Ensemble.from_weights(MAKERS["mlp"](), weights, torch.device("cpu"))


def test_one_stack_where_that_is_faster():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert ensemble.stacks("auto", mlp, (54,), cpu)
    assert ensemble.stacks("auto", cnn, (1, 8, 8), cpu)
    assert not ensemble.stacks("auto", cnn, (1, 28, 28), cpu)
    assert ensemble.stacks("auto", cnn, (3, 32, 32), gpu)
    assert ensemble.stacks("stacked", cnn, (3, 32, 32), cpu)
    assert not ensemble.stacks("one_by_one", mlp, (54,), cpu)
    single = type("single", (nn.Module,), {"STACKABLE": False})
    assert not ensemble.stacks("auto", single, (54,), gpu)
    with pytest.raises(ValueError, match="single cannot be stacked; use one_by_one"):
        ensemble.stacks("stacked", single, (54,), cpu)


def test_inputs_are_standardised_by_channel_and_the_source_is_left_alone():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 3, 4, 4)).astype(np.uint8)
    scaled = images / 255
    mean, deviation = scaled.mean((0, 2, 3)), scaled.std((0, 2, 3))
    x = standardised(images, 255.0, mean, deviation, "cpu")
    assert x.dtype == torch.float32
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std((0, 2, 3)), torch.ones(3), atol=1e-3, rtol=0)
    features = rng.normal(size=(20, 6)).astype(np.float32)
    before = features.copy()
    assert (standardised(features, 1.0, [0.0], [1.0], "cpu").numpy() == before).all()
    standardised(features, 1.0, [3.0], [2.0], "cpu")
    assert (features == before).all()


def test_a_temperature_divides_the_logits_and_phi_is_theirs():
    x, labels = examples()
    plain = extracted(group(), x, labels, ONE, True)
    hot = extracted(group(), x, labels, ONE | {"temperature": 4.0}, True)
    np.testing.assert_allclose(4 * hot["logits"], plain["logits"], rtol=1e-6)
    for (m, i, _), phi in np.ndenumerate(hot["phi"]):
        assert phi == pytest.approx(phi_slowly(plain["logits"][m, i] / 4, labels[i]), abs=1e-5)


@pytest.mark.parametrize("name", ["phi", "logits"])
def test_answers_that_are_not_finite_are_refused_with_the_model_and_its_cohort(name):
    answers = {name: np.zeros((3, 5, 2), np.float32) for name in ("phi", "logits")}
    asked = [(slice(0, 5), lambda: answers)]
    ((where, arrays),) = signals.finite(asked, "mine", range(8, 11))
    assert where == slice(0, 5)
    assert arrays() is answers
    answers[name][1, 3, 0] = np.inf
    ((_, arrays),) = signals.finite(asked, "mine", range(8, 11))
    words = "cohort mine: model 9 probably diverged: its answers are not finite"
    with pytest.raises(ValueError, match=f"^{words} .{name}.$"):
        arrays()


def test_a_model_that_diverged_is_named_when_it_is_asked(tmp_path, monkeypatch):
    models, (x, labels) = group(), examples()
    models.parameters["head.weight"].detach()[1] = 1e38
    monkeypatch.setattr(query_models, "load", lambda *_: (models, x, labels, True))
    with pytest.raises(ValueError, match="cohort mine: model 9 probably diverged"):
        query(tmp_path)
    assert not (tmp_path / "s.h5").exists()


def query(folder, **beside):
    """Write the signals s.h5 of three models asked about 40 examples, and what stands beside x."""
    facts = {"population": "p", "digest": "", "class_names": []}
    masks = {"member": np.ones((3, 40), bool), "evaluated": np.ones((3, 40), bool)}
    alike = {"role": np.zeros(40, np.uint8), "canary": np.zeros(40, bool)}
    write_h5(folder / "given.h5", masks | alike | beside, facts)
    given = dict.fromkeys(("population", "roles", "membership", "weights"), folder / "given.h5")
    settings = {"cohort": "mine", "models": [8, 11], "engine": "auto", "queries": ONE}
    query_models.main(**given, signals=folder / "s.h5", settings=settings)


def test_signals_tell_how_texts_compress_where_the_population_does(tmp_path, monkeypatch):
    models, (x, labels) = group(), examples()
    monkeypatch.setattr(query_models, "load", lambda *_: (models, x, labels, True))
    query(tmp_path)
    with pytest.raises(ValueError, match=r"s\.h5: has no 'zlib_bytes'; it holds member"):
        _ = Signals([tmp_path / "s.h5"]).zlib_bytes
    query(tmp_path, zlib_bytes=np.arange(40))
    assert Signals([tmp_path / "s.h5"]).zlib_bytes.tolist() == list(range(40))
