"""mixup and dropout: what a step is given, against a loop; whose draws these are."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn import functional

from miatlas.study import reading
from miatlas.training import trainer as training
from miatlas.training.architectures import cnn, mlp
from miatlas.training.batches import Batches, Data, Model
from miatlas.training.mixup import Mixup
from miatlas.training.stack_sizes import stack_size

CLASSES, EXAMPLES = 3, 60
RECIPE = {
    "epochs": 3, "batch_size": 8, "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.0},
    "schedule": {"name": "constant"}, "augmentation": {"name": "none"}, "label_smoothing": 0.0,
    "gradient_clip": None, "ema": None, "early_stopping": None, "precision": "float32",
}  # fmt: skip
pytestmark = pytest.mark.usefixtures("one_thread")


def data():
    draws = torch.Generator().manual_seed(0)
    labels = torch.arange(EXAMPLES) % CLASSES
    nobody = torch.empty(0, dtype=int)
    return Data(torch.randn(EXAMPLES, 5, generator=draws) + labels[:, None], labels, nobody, nobody)


def models(numbers):
    halves = [np.sort(np.random.default_rng(m).permutation(EXAMPLES)[:30]) for m in numbers]
    return [Model(m, own, 10 + m, 20 + m, 30 + m) for m, own in zip(numbers, halves, strict=True)]


def train(numbers, stacked, dropout=0.0, **recipe):
    make = lambda: mlp.build((5,), CLASSES, widths=[16, 16], dropout=dropout)  # noqa: E731
    recipe = RECIPE | recipe
    at_once = len(numbers) if stacked else 1
    return training.train(make, recipe, data(), models(numbers), 30, at_once, lambda *_: None)


def test_a_batch_is_the_mean_of_pairs_by_the_weight_of_its_model():
    draws = [np.random.default_rng([seed, 1]) for seed in (4, 9)]
    mix = Mixup([4, 9], 0.7, CLASSES)
    x, y = torch.randn(2, 6, 3, 4, 4), torch.randint(CLASSES, (2, 6))
    for _ in range(3):
        got_x, got_y = mix(x, y)
        for k, own in enumerate(draws):
            weight, order = own.beta(0.7, 0.7), own.permutation(6)
            for b in range(6):
                pair = x[k, b], x[k, order[b]]
                torch.testing.assert_close(got_x[k, b], weight * pair[0] + (1 - weight) * pair[1])
                wanted = torch.zeros(CLASSES)
                wanted[y[k, b]] += weight
                wanted[y[k, order[b]]] += 1 - weight
                torch.testing.assert_close(got_y[k, b], wanted)


def test_weights_are_of_the_beta_distribution():
    for alpha in (0.2, 2.0):
        mix = Mixup([1], alpha, 2)
        x, y = torch.tensor([[[0.0], [1.0]]]), torch.tensor([[0, 1]])
        found = np.array([float(mix(x, y)[0][0, 0, 0]) for _ in range(2000)])
        mixed = found[(found > 0) & (found < 1)]  # of the orders that change something
        assert stats.kstest(mixed, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_a_teacher_s_answers_are_mixed_too():
    answers = torch.rand(1, 4, CLASSES).softmax(-1)
    _, y = Mixup([3], 1.0, CLASSES)(torch.zeros(1, 4, 2), answers)
    assert y.sum(-1) == pytest.approx(1.0, abs=1e-6)
    assert not torch.equal(y, answers)


def test_training_with_mixup_is_the_written_out_loop():
    weights, _ = train([2], True, mixup=0.4)
    [model], on = models([2]), data()
    torch.manual_seed(model.weights_seed)
    network = mlp.build((5,), CLASSES, widths=[16, 16])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    draws = np.random.default_rng([model.augmentation_seed, 1])
    for x, y in plain_batches(model):
        weight, order = draws.beta(0.4, 0.4), draws.permutation(8)
        logits = network(weight * x + (1 - weight) * x[order])
        losses = [functional.cross_entropy(logits, target) for target in (y, y[order])]
        optimizer.zero_grad()
        (weight * losses[0] + (1 - weight) * losses[1]).backward()
        optimizer.step()
    assert len(on.x) == EXAMPLES
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(weights[name][0], tensor, rtol=1e-4, atol=1e-6)


def plain_batches(model):
    batches = Batches([model], RECIPE, data(), 30)
    for _ in range(RECIPE["epochs"]):
        for x, y in batches.epoch():
            yield x[0], y[0]


def test_a_model_is_mixed_alike_in_any_stack():
    together, _ = train([0, 1, 2], True, mixup=0.5)
    alone, _ = train([2], False, mixup=0.5)
    for name, tensor in alone.items():
        torch.testing.assert_close(together[name][2], tensor[0], rtol=1e-4, atol=1e-6)


def test_without_mixup_nothing_changes():
    plain, _ = train([0, 1], True)
    none, _ = train([0, 1], True, mixup=None)
    mixed, _ = train([0, 1], True, mixup=1.0)
    assert all(torch.equal(plain[name], none[name]) for name in plain)
    assert any((plain[name] - mixed[name]).abs().max() > 1e-3 for name in plain)


@pytest.mark.parametrize(
    ("build", "options"),
    [(mlp.build, {"widths": [32]}), (cnn.build, {"filters": 4}),
     (cnn.build, {"filters": 4, "layout": "carlini2022"})],
)  # fmt: skip
def test_dropout_is_for_training_alone(build, options):
    torch.manual_seed(0)
    network, plain = (build((3, 8, 8), CLASSES, dropout=p, **options) for p in (0.5, 0.0))
    x = torch.randn(2, 3, 8, 8)
    shares = [m.p for m in network.modules() if isinstance(m, nn.Dropout)]
    assert shares == [0.5]
    network.train()
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))
    assert not any(isinstance(m, nn.Dropout) for m in plain.modules())


def test_a_model_with_dropout_is_the_same_in_any_block():
    together, _ = train([0, 1, 2], False, dropout=0.3)
    alone, _ = train([1], False, dropout=0.3)
    for name, tensor in alone.items():
        assert torch.equal(together[name][1], tensor[0])
    plain, _ = train([1], False)
    last = "head.weight"
    assert not torch.equal(plain[last], alone[last])


@pytest.mark.parametrize(("dropout", "wanted"), [(0.0, 4), (0.3, 1)])
def test_networks_with_dropout_are_trained_one_by_one(dropout, wanted):
    make = lambda: mlp.build((5,), CLASSES, dropout=dropout)  # noqa: E731
    recipe = RECIPE | {"engine": "auto", "architecture": {"name": "mlp", "dropout": dropout}}
    assert stack_size(mlp, make, recipe, data().x, 4) == wanted


def read(source="digits", **recipe):
    recipe = {"architecture": {"name": "mlp"}, "epochs": 1} | recipe
    cohort = {"population": "p", "recipe": "r", "design": {"name": "iid", "size": 9}, "models": 2}
    population = {"source": source, "standardise": "none"}
    given = {"populations": {"p": population}, "recipes": {"r": recipe}, "cohorts": {"c": cohort}}
    return reading.read({"study": "t", **given})


def test_what_cannot_be_drawn_is_refused_before_anything_runs():
    with pytest.raises(
        ValueError, match=r"recipes.r.engine: networks with dropout are trained one"
    ):
        read(architecture={"name": "mlp", "dropout": 0.5}, engine="stacked")
    with pytest.raises(ValueError, match="'mixup' is 0"):
        read(mixup=0)
    with pytest.raises(ValueError, match="recipe: mixup mixes numbers"):
        read("wikitext2", architecture={"name": "gpt2"}, mixup=0.2)
    read(architecture={"name": "mlp", "dropout": 0.5})
    read(mixup=0.2)
