"""Seeds, not blocks, decide a model; a stack of models trains as plain PyTorch trains each one."""

import subprocess
import sys
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from miatlas.training import augmentation, initial_weights
from miatlas.training import trainer as training
from miatlas.training.architectures import cnn, fast_resnet, mlp, wide_resnet
from miatlas.training.batches import Batches, Data, Model
from miatlas.training.divergence import Diverged
from miatlas.training.ensemble import Ensemble

SHAPE, CLASSES, EXAMPLES = (1, 8, 8), 4, 120
MAKERS = {
    "mlp": partial(mlp.build, SHAPE, CLASSES, widths=[16]),
    "cnn": partial(cnn.build, SHAPE, CLASSES, filters=4, stages=2),
}
PLAIN = {
    "epochs": 1, "batch_size": 16, "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
    "schedule": {"name": "constant"}, "augmentation": {"name": "none"}, "label_smoothing": 0.0,
    "gradient_clip": None, "ema": None, "early_stopping": None, "precision": "float32",
    "privacy": None, "engine": "auto",
}  # fmt: skip
EVERYTHING = {
    "label_smoothing": 0.1, "gradient_clip": 0.5, "ema": 0.9,
    "schedule": {"name": "cosine", "warmup": 0.2},
}  # fmt: skip
OPTIMIZERS = {
    "momentum": {"name": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 1e-3},
    "nesterov": {"name": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True},
    "adam": {"name": "adam", "lr": 3e-3, "weight_decay": 1e-3},
    "adamw": {"name": "adamw", "lr": 3e-3},
}
MOVES = {"name": "mirror_shift_cutout", "shift": 1, "cutout": 3}


pytestmark = pytest.mark.usefixtures("one_thread")


def data(noise=1.0, held_out=0, test=0, seed=0):
    """Return examples of four blurred patterns."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (EXAMPLES,), generator=generator)
    patterns = torch.randn(CLASSES, *SHAPE, generator=generator)
    x = patterns[labels] + noise * torch.randn(EXAMPLES, *SHAPE, generator=generator)
    indices = torch.arange(EXAMPLES)
    return Data(x, labels, indices[:held_out], indices[EXAMPLES - test :])


def models(numbers, sizes=(40,), low=0, high=EXAMPLES):
    """Return models with seeds and training sets of their own, whatever `numbers` they are in."""
    result = []
    for m in numbers:
        size = sizes[m % len(sizes)]
        examples = low + np.sort(np.random.default_rng(m).permutation(high - low)[:size])
        result.append(Model(m, examples, 100 + m, 200 + m, 300 + m, noise_seed=400 + m))
    return result


def silent(*_):
    pass


def train(recipe, numbers, stacked=True, make="mlp", on=None, size=40, progress=silent, **keys):
    make, group = MAKERS.get(make, make), models(numbers, **keys)
    at_once = len(group) if stacked else 1
    return training.train(make, PLAIN | recipe, on or data(), group, size, at_once, progress)


def logits(make, weights, x):
    network = MAKERS.get(make, make)()
    arrays = {name: tensor.numpy() for name, tensor in weights.items()}
    return Ensemble.from_weights(network, arrays, torch.device("cpu")).answer(x)


def joined(*parts):
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


# The slow oracle: one model, one torch.optim, one loop ---------------------------------------


def plain_loop(make, recipe, on, model, size):
    """Train one model as any tutorial does; return the network and each step's weights."""
    torch.manual_seed(model.weights_seed)
    network = make()
    options = {k: v for k, v in recipe["optimizer"].items() if k != "name"}
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    optimizer = kinds[recipe["optimizer"]["name"]](network.parameters(), **options)
    order = np.random.default_rng(model.order_seed)
    generator = torch.Generator().manual_seed(model.augmentation_seed)
    moves = {k: v for k, v in recipe["augmentation"].items() if k != "name"}
    steps, batch = -(-size // recipe["batch_size"]), recipe["batch_size"]
    waiting, total, taken, trail = [], steps * recipe["epochs"], 0, []
    for _ in range(recipe["epochs"]):
        while len(waiting) < steps * batch:
            waiting += list(order.permutation(model.examples))
        now, waiting = waiting[: steps * batch], waiting[steps * batch :]
        draws = augmentation.draw(
            recipe["augmentation"]["name"], len(now), SHAPE, generator, **moves
        )
        x = augmentation.apply(on.x[now], draws)
        for start in range(0, len(now), batch):
            done = (taken + 0.5) / total
            rate = options["lr"]
            if recipe["schedule"]["name"] == "cosine":
                warm = recipe["schedule"].get("warmup", 0.0)
                rate *= min(1, done / warm) if warm else 1
                rate *= (1 + np.cos(np.pi * max(0, done - warm) / (1 - warm))) / 2
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = functional.cross_entropy(
                network(x[start : start + batch]),
                on.labels[now[start : start + batch]],
                label_smoothing=recipe["label_smoothing"],
            )
            optimizer.zero_grad()
            loss.backward()
            if recipe["gradient_clip"]:
                nn.utils.clip_grad_norm_(network.parameters(), recipe["gradient_clip"])
            optimizer.step()
            taken += 1
            trail.append({n: p.detach().clone() for n, p in network.state_dict().items()})
    return network, trail


def averaged(trail, decay):
    """Return the mean of what the steps leave, step i counted decay^(last - i) times.

    Integers, which only count steps, are the last step's.
    """
    counts = np.array([decay**i for i in reversed(range(len(trail)))])
    shares = counts / counts.sum()
    mean = {n: sum(s * step[n] for s, step in zip(shares, trail, strict=True)) for n in trail[0]}
    return {n: mean[n] if last.is_floating_point() else last for n, last in trail[-1].items()}


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("more", [{}, EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("moves", [{"name": "none"}, MOVES], ids=["unmoved", "moved"])
def test_a_stack_a_split_stack_single_models_and_a_plain_loop_agree(make, optimizer, more, moves):
    recipe = {"optimizer": OPTIMIZERS[optimizer], "augmentation": moves, **more}
    on, sizes = data(), (40, 37, 51)
    stack, _ = train(recipe, range(8), make=make, sizes=sizes)
    split = joined(
        train(recipe, range(3), make=make, sizes=sizes)[0],
        train(recipe, range(3, 8), make=make, sizes=sizes)[0],
    )
    single, _ = train(recipe, range(8), stacked=False, make=make, sizes=sizes)
    answers = logits(make, stack, on.x)
    for other in (split, single):
        torch.testing.assert_close(logits(make, other, on.x), answers, rtol=0, atol=1e-5)
    for k, model in enumerate(models(range(8), sizes)):
        network, trail = plain_loop(MAKERS[make], PLAIN | recipe, on, model, 40)
        if more:
            network.load_state_dict(averaged(trail, 0.9))
        torch.testing.assert_close(network(on.x).detach(), answers[k], rtol=0, atol=1e-5)


def test_several_epochs_agree_with_the_plain_loop():
    recipe = {"epochs": 5, "schedule": {"name": "cosine"}, "batch_size": 16}
    weights, _ = train(recipe, range(3), size=37, sizes=(37,))
    for k, model in enumerate(models(range(3), (37,))):
        network, _ = plain_loop(MAKERS["mlp"], PLAIN | recipe, data(), model, 37)
        for name, parameter in network.named_parameters():
            torch.testing.assert_close(weights[name][k], parameter.detach(), rtol=0, atol=1e-5)


def test_initial_weights_are_the_seeds_bit_by_bit():
    recipe = {"optimizer": {"name": "sgd", "lr": 0.0, "momentum": 0.0}}
    stack, _ = train(recipe, [5, 2, 9], make="cnn")
    alone, _ = train(recipe, [2], make="cnn")
    torch.manual_seed(102)
    network = MAKERS["cnn"]()
    for name, parameter in network.named_parameters():
        assert torch.equal(stack[name][1], alone[name][0])
        assert torch.equal(stack[name][1], parameter)
    assert not torch.equal(stack["head.weight"][0], stack["head.weight"][1])


def test_training_leaves_the_callers_weights_seeds_alone():
    torch.manual_seed(0)
    expected = MAKERS["mlp"]().head.weight
    stack = models(range(2))
    first, _ = training.train(MAKERS["mlp"], PLAIN, data(), stack, 40, len(stack), silent)
    again, _ = training.train(MAKERS["mlp"], PLAIN, data(), stack, 40, len(stack), silent)
    assert all(torch.equal(first[name], again[name]) for name in first)
    torch.manual_seed(0)
    assert torch.equal(MAKERS["mlp"]().head.weight, expected)


# Distillation --------------------------------------------------------------------------------


def taught_by(teachers):
    """Return the data with answers of `teachers` models, drawn at random."""
    generator = torch.Generator().manual_seed(9)
    return replace(data(), taught=torch.randn(teachers, EXAMPLES, CLASSES, generator=generator)
                   .mul(2).softmax(-1))  # fmt: skip


def test_students_learn_their_own_teachers_answers_as_a_plain_loop_does():
    on, students = taught_by(3), [replace(m, teacher=m.number // 2) for m in models(range(6))]
    stack, _ = training.train(MAKERS["mlp"], PLAIN, on, students, 40, len(students), silent)
    for k, student in enumerate(students):
        # the loop's cross-entropy takes probabilities in place of labels: its own teacher's
        network, _ = plain_loop(
            MAKERS["mlp"], PLAIN, replace(on, labels=on.taught[student.teacher]), student, 40
        )
        for name, parameter in network.named_parameters():
            torch.testing.assert_close(stack[name][k], parameter.detach(), rtol=0, atol=1e-5)


def test_students_do_not_read_the_labels():
    on, students = taught_by(1), [replace(m, teacher=0) for m in models(range(2))]
    first, _ = training.train(MAKERS["mlp"], PLAIN, on, students, 40, len(students), silent)
    on = replace(on, labels=(on.labels + 1) % CLASSES)
    again, _ = training.train(MAKERS["mlp"], PLAIN, on, students, 40, len(students), silent)
    assert all(torch.equal(first[name], again[name]) for name in first)


# What a job imports -------------------------------------------------------------------------


JOB = """
import sys
sys.path[:0] = sys.argv[1:]
import train_models
import test_training as here
for optimizer in here.OPTIMIZERS.values():
    recipe = {**here.EVERYTHING, "optimizer": optimizer, "augmentation": here.MOVES}
    here.train(recipe, range(2), make="cnn")
    here.train({**recipe, "precision": "bfloat16"}, range(2), make=here.small_resnet, stacked=False)
print(*sorted(name for name in sys.modules if name.startswith("torch.")))
"""


def test_a_training_job_does_not_import_the_compiler():
    folders = [str(Path(training.__file__).parents[2]), str(Path(__file__).parent)]
    command = [sys.executable, "-c", JOB, *folders]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "torch.optim" in said
    assert "torch._dynamo" not in said  # 1.4 s and 150 MB
    assert "torch._inductor" not in said


# Batches -------------------------------------------------------------------------------------


def batches(numbers, augmentation=None, epochs=1, batch_size=16, size=40, **keys):
    """Return all batches of some epochs: x (steps, K, B, ...), y (steps, K, B)."""
    on = data()
    on.x[:, 0, 0, 0] = torch.arange(EXAMPLES)  # every example can be told
    recipe = PLAIN | {"augmentation": augmentation or {"name": "none"}, "batch_size": batch_size}
    made = Batches(models(numbers, **keys), recipe, on, size)
    drawn = [batch for _ in range(epochs) for batch in made.epoch()]
    return made, torch.stack([x for x, _ in drawn]), torch.stack([y for _, y in drawn])


TURNS = {"name": "alternating_mirror_shift", "shift": 1}


@pytest.mark.parametrize("moves", [None, MOVES, TURNS])
def test_batches_are_the_models_own_bit_by_bit(moves):
    _, x, y = batches([4, 1, 7], moves, epochs=3, sizes=(40, 33))
    for k, number in enumerate([4, 1, 7]):
        _, alone_x, alone_y = batches([number], moves, epochs=3, sizes=(40, 33))
        assert torch.equal(x[:, k], alone_x[:, 0])
        assert torch.equal(y[:, k], alone_y[:, 0])


@pytest.mark.parametrize("batch_size", [7, 16, 64])
def test_batches_are_full_and_every_example_comes_equally_often(batch_size):
    made, x, y = batches(range(3), epochs=5, batch_size=batch_size, sizes=(40, 33, 60))
    size = min(batch_size, 40)
    assert x.shape == (5 * -(-40 // size), 3, size, *SHAPE)
    assert made.steps == -(-40 // size)
    identities = x[:, :, :, 0, 0, 0].long()
    on = data()
    for k, model in enumerate(models(range(3), (40, 33, 60))):
        seen = identities[:, k].flatten()
        assert torch.equal(on.labels[seen], y[:, k].flatten())
        counts = np.bincount(seen, minlength=EXAMPLES)
        assert set(np.flatnonzero(counts)) <= set(model.examples)
        assert np.ptp(counts[model.examples]) <= 1
        n = len(model.examples)
        for start in range(0, len(seen) - n + 1, n):  # whole permutations, one after the other
            assert sorted(seen[start : start + n].tolist()) == model.examples.tolist()


@pytest.mark.parametrize("sizes", [(40,), (40, 33, 60)])
def test_an_example_is_mirrored_in_every_other_of_its_passes(sizes):
    on = data()
    on.x[:] = 0
    on.x[:, 0, 0, 0] = torch.arange(1, EXAMPLES + 1)  # mirrored, it is in the other corner
    still = {"augmentation": TURNS | {"shift": 0}}
    made = Batches(models(range(3), sizes), PLAIN | still, on, 40)
    x = torch.cat([x for _ in range(8) for x, _ in made.epoch()], 1)[:, :, 0, 0]  # (K, 8 n, W)
    starts = []
    for row, model in zip(x, models(range(3), sizes), strict=True):
        plain, mirrored = row[:, 0].long() - 1, row[:, -1].long() - 1
        assert ((plain < 0) ^ (mirrored < 0)).all()
        seen = torch.maximum(plain, mirrored)
        for example in model.examples:
            turns = (mirrored[seen == example] >= 0).tolist()
            assert len(turns) >= 4
            assert all(a != b for a, b in pairwise(turns))
            starts.append(turns[0])
    assert 0.35 < np.mean(starts) < 0.65


def test_models_begin_with_mirror_images_of_their_own():
    make = lambda numbers: Batches(  # noqa: E731
        models(numbers), PLAIN | {"augmentation": TURNS}, data(), 40
    )
    both, alone = make([3, 5]), make([5])
    assert torch.equal(both.first[1], alone.first[0])
    assert not torch.equal(both.first[0], both.first[1])


def test_the_order_differs_between_models_and_epochs():
    _, x, _ = batches([0, 1], epochs=2, sizes=(40,), high=40)  # the same examples for both
    order = x[:, :, :, 0, 0, 0].transpose(0, 1).flatten(1)  # (K, 2 epochs)
    assert not torch.equal(order[0], order[1])
    assert not torch.equal(order[0, :40], order[0, 40:80])


def test_a_model_without_examples_is_named():
    with pytest.raises(ValueError, match="model 3 has no training examples"):
        train({}, [3], sizes=(0,))


# The parts of a step -------------------------------------------------------------------------


def test_clipping_is_that_of_each_model_alone():
    networks = [MAKERS["cnn"]() for _ in range(4)]
    for scale, network in enumerate(networks):
        loss = functional.cross_entropy(network(data().x), data().labels)
        (loss * 10.0 ** (scale - 2)).backward()
    group = Ensemble.from_networks(networks, "cpu")
    names = [name for name, _ in networks[0].named_parameters()]
    gradients = [dict(network.named_parameters()) for network in networks]
    for name in names:
        group.parameters[name].grad = torch.stack([g[name].grad.clone() for g in gradients])
    training.clip(group, 0.5)
    norms = [nn.utils.clip_grad_norm_(network.parameters(), 0.5) for network in networks]
    assert min(norms) < 0.5 < max(norms)
    for name in names:
        expected = torch.stack([g[name].grad for g in gradients])
        torch.testing.assert_close(group.parameters[name].grad, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("decay", [0.5, 0.99, 1.0])
@pytest.mark.parametrize("make", MAKERS)
def test_the_average_is_that_of_a_slow_loop(decay, make):
    weights, _ = train({"epochs": 2, "ema": decay}, range(2), make=make)
    for k, model in enumerate(models(range(2))):
        _, trail = plain_loop(MAKERS[make], PLAIN | {"epochs": 2}, data(), model, 40)
        for name, expected in averaged(trail, decay).items():
            torch.testing.assert_close(weights[name][k], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("decay", [0.5, 1.0])
def test_running_statistics_are_averaged_as_weights_are(decay):
    """A stack, its parts and single models release what a loop averages of a whole network."""
    recipe = {
        "epochs": 2, "ema": decay, "batch_size": 20,
        "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.0},
    }  # fmt: skip
    ways = [
        train(recipe, range(3), make=small_resnet)[0],
        train(recipe, range(3), make=small_resnet, stacked=False)[0],
        joined(*(train(recipe, part, make=small_resnet)[0] for part in (range(2), range(2, 3)))),
    ]
    for k, model in enumerate(models(range(3))):
        _, trail = plain_loop(small_resnet, PLAIN | recipe, data(), model, 40)
        expected = averaged(trail, decay)
        last = trail[-1]["body.1.norm1.running_mean"]
        assert (expected["body.1.norm1.running_mean"] - last).abs().max() > 1e-3  # or all is alike
        for weights in ways:
            for name, tensor in expected.items():
                torch.testing.assert_close(weights[name][k], tensor, rtol=1e-4, atol=1e-4)


def test_bfloat16_is_close_to_float32_and_not_the_same():
    on = data()
    full = logits("mlp", train({}, range(3), make="mlp")[0], on.x)
    short, history = train({"precision": "bfloat16"}, range(3), make="mlp")
    difference = (logits("mlp", short, on.x) - full).abs().max()
    assert 0 < difference < 0.1
    assert short["head.weight"].dtype == torch.float32
    assert np.isfinite([row["loss"] for row in history]).all()


# Early stopping ------------------------------------------------------------------------------


def held_out_losses(make, weights, on):
    answers = logits(make, weights, on.x[on.held_out])
    return [functional.cross_entropy(z, on.labels[on.held_out]).item() for z in answers]


def held_out_errors(architecture, weights, on):
    """Return the share of wrong labels of each model (K,) on the held-out examples."""
    likeliest = logits(architecture, weights, on.x[on.held_out]).argmax(-1)
    return (likeliest != on.labels[on.held_out]).double().mean(1).numpy()


def by_epoch(numbers, on, epochs, **keys):
    """Return the weights after 1, 2, ... epochs; the schedule is constant, so runs are prefixes."""
    return [
        train({"epochs": e, "optimizer": OVERFITTING}, numbers, on=on, **keys)[0]
        for e in range(1, epochs + 1)
    ]


OVERFITTING = {"name": "sgd", "lr": 0.3, "momentum": 0.9}


@pytest.mark.parametrize("by", ["loss", "accuracy"])
def test_each_model_keeps_its_best_weights_whatever_its_company(by):
    on, patience, epochs = data(noise=2.0, held_out=40), 2, 12
    recipe = {"epochs": epochs, "early_stopping": patience, "optimizer": OVERFITTING}
    recipe |= {"early_stopping_by": by}
    numbers, keys = range(6), {"low": 40, "sizes": (40,)}
    kept, history = train(recipe, numbers, on=on, **keys)
    alone, alone_history = train(recipe, numbers, stacked=False, on=on, **keys)
    trail = by_epoch(numbers, on, epochs, **keys)
    measure = held_out_losses if by == "loss" else held_out_errors
    losses = np.array([measure("mlp", weights, on) for weights in trail])  # (epochs, K)
    stops = []
    for k in numbers:
        best, waited, last = 0, 0, epochs
        for e in range(epochs):
            best, waited = (
                (e, 0) if e == 0 or losses[e, k] < losses[best, k] else (best, waited + 1)
            )
            if waited == patience:
                last = e + 1
                break
        stops.append(last)
        for name in kept:
            torch.testing.assert_close(kept[name][k], trail[best][name][k], rtol=0, atol=1e-5)
            torch.testing.assert_close(alone[name][k], kept[name][k], rtol=0, atol=1e-5)
        for rows in (history, alone_history):
            assert [row["epoch"] for row in rows if row["model"] == k] == list(range(1, last + 1))
    assert len(set(stops)) > 1  # or nothing was tested
    assert min(stops) < epochs


# History -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("test", [0, 30])
def test_history_has_every_epoch_and_the_final_accuracies(stacked, test):
    on, heard = data(test=test), []
    weights, history = train(
        {"epochs": 3}, [4, 6], stacked, on=on, high=90, progress=lambda *a: heard.append(a)
    )
    rows = {(row["model"], row["epoch"]): row for row in history}
    assert rows.keys() == {(m, e) for m in (4, 6) for e in (1, 2, 3)}
    assert len(history) == 6
    correct = (logits("mlp", weights, on.x).argmax(-1) == on.labels).numpy()
    for hits, model in zip(correct, models([4, 6], high=90), strict=True):
        row = rows[model.number, 3]
        others = range(90, 120) if test else np.setdiff1d(np.arange(EXAMPLES), model.examples)
        assert row["train_accuracy"] == hits[model.examples].mean()
        assert row["test_accuracy"] == hits[list(others)].mean()
        assert "train_accuracy" not in rows[model.number, 2]
    told = [(tuple(numbers), epoch) for numbers, epoch, *_ in heard]
    assert told == ([((4, 6), e) for e in range(3)] if stacked else
                    [((m,), e) for m in (4, 6) for e in range(3)])  # fmt: skip


def test_loss_and_accuracy_of_an_epoch_are_those_of_its_batches():
    recipe = {"optimizer": {"name": "sgd", "lr": 0.0, "momentum": 0.0}, "label_smoothing": 0.2}
    _, history = train(recipe, [3])
    on, model = data(), models([3])[0]
    order = np.random.default_rng(model.order_seed)
    index = np.concatenate([order.permutation(model.examples) for _ in range(2)])[:48]
    torch.manual_seed(model.weights_seed)
    answers = MAKERS["mlp"]()(on.x[index])
    smooth = torch.full((48, CLASSES), 0.2 / CLASSES)
    smooth[torch.arange(48), on.labels[index]] += 0.8
    loss = -(smooth * answers.log_softmax(-1)).sum(-1).mean()
    assert history[0]["loss"] == pytest.approx(loss.item(), abs=1e-6)
    assert history[0]["accuracy"] == (answers.argmax(-1) == on.labels[index]).float().mean().item()


# Divergence ----------------------------------------------------------------------------------


def poisoned(model, step, value=float("inf")):
    """Return data whose example of one model's given step (of 16 examples) is not finite."""
    on = data()
    order = np.random.default_rng(model.order_seed)
    sequence = np.concatenate([order.permutation(model.examples) for _ in range(3)])
    on.x[sequence[16 * step]] = value
    return on


def blocks_of_their_own(numbers):
    return [Model(m, np.arange(40 * i, 40 * i + 40), m, 200 + m, m) for i, m in enumerate(numbers)]


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("step", [0, 1])
def test_a_diverged_model_is_named_with_its_step_and_no_other(stacked, step):
    group = blocks_of_their_own([12, 13, 14])
    on = poisoned(group[1], step)
    with pytest.raises(Diverged, match=f"model 13 diverged.*step {step}$"):
        training.train(
            MAKERS["mlp"],
            PLAIN | {"epochs": 3},
            on,
            group,
            40,
            len(group) if stacked else 1,
            silent,
        )


def test_the_first_to_diverge_is_named():
    group = blocks_of_their_own([12, 13, 14])
    on = poisoned(group[2], 0)
    on.x[group[0].examples[0]] = float("nan")
    first = np.flatnonzero(np.random.default_rng(212).permutation(group[0].examples) == 0)[0] // 16
    assert first > 0
    with pytest.raises(Diverged, match=r"model 14 diverged.*step 0"):
        training.train(MAKERS["mlp"], PLAIN, on, group, 40, len(group), silent)


def test_a_divergence_in_the_last_step_is_seen():
    huge = {"name": "sgd", "lr": 1e38, "momentum": 0.0}
    with pytest.raises(Diverged, match="model 5 diverged: its weights are not finite"):
        train({"optimizer": huge, "batch_size": 40}, [5], on=Data(data().x * 1e3, *vars_of(data())))


def vars_of(on):
    return on.labels, on.held_out, on.test


def test_a_model_that_has_stopped_is_out_of_the_game(monkeypatch):
    # Model 1 stops after two epochs. What happens to it later, for better or worse, is ignored.
    on = data(held_out=40)
    group = [Model(m, np.arange(40 + 40 * m, 80 + 40 * m), m, m, m) for m in range(2)]
    losses = iter([[0.6, 0.5], [0.5, 0.6], [0.4, 0.4], [0.3, 0.3], [0.2, 0.2], [0.1, 0.1]])
    monkeypatch.setattr(
        "miatlas.training.released_weights.held_out_loss", lambda *_: torch.tensor(next(losses))
    )

    def sabotage(numbers, epoch, *_):
        if epoch == 3:
            on.x[group[1].examples] = float("nan")

    recipe = PLAIN | {"epochs": 6, "early_stopping": 1}
    weights, history = training.train(MAKERS["mlp"], recipe, on, group, 40, len(group), sabotage)
    assert [row["epoch"] for row in history if row["model"] == 1] == [1, 2]
    assert [row["epoch"] for row in history if row["model"] == 0] == [1, 2, 3, 4, 5, 6]
    once, _ = training.train(MAKERS["mlp"], PLAIN, data(held_out=40), group, 40, len(group), silent)
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor[1], once[name][1], rtol=0, atol=1e-6)
        assert torch.isfinite(tensor[0]).all()


# Networks with statistics, networks with dropout, full trainings -----------------------------


def small_resnet():
    return wide_resnet.build((1, 8, 8), CLASSES, depth=10, width=1)


def test_normalisation_is_stacked_and_queried_with_running_statistics():
    on = data()
    recipe = {"batch_size": 20, "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.0}}
    stack, _ = train(recipe, range(3), make=small_resnet)
    single, _ = train(recipe, range(3), stacked=False, make=small_resnet)
    for k, model in enumerate(models(range(3))):
        network, _ = plain_loop(small_resnet, PLAIN | recipe, on, model, 40)
        network.eval()
        for name, tensor in network.state_dict().items():
            for weights in (stack, single):
                torch.testing.assert_close(weights[name][k], tensor, rtol=1e-4, atol=2e-5)
        expected = network(on.x).detach()
        for weights in (stack, single):
            answers = logits(small_resnet, weights, on.x)
            torch.testing.assert_close(answers[k], expected, rtol=1e-4, atol=1e-4)
            # In evaluation mode an example's answer does not depend on its batch.
            one = logits(small_resnet, weights, on.x[:1])
            torch.testing.assert_close(one[k, 0], answers[k, 0], rtol=1e-5, atol=1e-5)
    assert stack["body.0.weight"].shape[0] == 3


# The recipe `fast`: filters from a sample of the population, mirror images in turn -----------

FAST = {
    "architecture": {"name": "fast_resnet", "widths": [24, 8, 8]}, "batch_size": 20, "epochs": 2,
    "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True},
    "augmentation": {"name": "alternating_mirror_shift", "shift": 2}, "label_smoothing": 0.2,
}  # fmt: skip


def photographs(held_out=20, test=20):
    on, generator = data(), torch.Generator().manual_seed(5)
    x = functional.interpolate(on.x.expand(-1, 3, -1, -1), size=16, mode="bilinear")
    x = x + 0.1 * torch.randn(x.shape, generator=generator)
    return Data(x, on.labels, torch.arange(held_out), torch.arange(EXAMPLES - test, EXAMPLES))


def fast(numbers, stacked=True, on=None, more=()):
    recipe, on = FAST | dict(more), on or photographs()
    settings = {"seed": 3, "cohort": "c", "recipe": PLAIN | recipe}
    make = initial_weights.maker(fast_resnet, on, (3, 16, 16), CLASSES, settings)
    return make, train(recipe, numbers, stacked, make, on, low=20, high=100)


def test_the_fast_recipe_is_the_same_stacked_one_by_one_and_in_blocks():
    make, (stack, history) = fast(range(3))
    others = [
        fast(range(3), stacked=False)[1][0],
        joined(fast([0])[1][0], fast([1, 2])[1][0]),
    ]
    whitening = stack["body.0.weight"]
    assert torch.equal(whitening[0], whitening[1])
    assert not torch.equal(whitening[0], fast_resnet.build((3, 16, 16), 4).body[0].weight)
    expected = logits(make, stack, photographs().x)
    for weights in others:
        assert torch.equal(weights["body.0.weight"], whitening)
        answers = logits(make, weights, photographs().x)
        torch.testing.assert_close(answers, expected, rtol=0, atol=2e-4)
    losses = [[row["loss"] for row in history if row["epoch"] == e] for e in (1, 2)]
    assert np.mean(losses[1]) < np.mean(losses[0])  # it learns


def test_the_fast_recipe_in_bfloat16_gives_the_same_models_within_its_rounding():
    # The forms round in different orders, to 2^-8 of a number, on the way forth and back of four
    # steps: eight times that, and far less than what tells models of different seeds apart.
    on, short = photographs(), {"precision": "bfloat16"}
    size = lambda z: z.square().mean().sqrt()  # noqa: E731
    make, (stack, _) = fast(range(3), more=short)
    single = fast(range(3), stacked=False, more=short)[1][0]
    split = joined(fast([0], more=short)[1][0], fast([1, 2], more=short)[1][0])
    expected = logits(make, stack, on.x)
    allowed = 8 * 2**-8 * size(expected)
    assert allowed < size(expected[0] - expected[1]) / 20
    for weights in (single, split):
        answers = logits(make, weights, on.x)
        assert size(answers - expected) < allowed
        right, own = ((z.argmax(-1) == on.labels).float().mean(-1) for z in (answers, expected))
        assert (right - own).abs().max() < 2.5 / EXAMPLES
    full = logits(make, fast(range(3), stacked=False)[1][0], on.x)
    assert size(logits(make, single, on.x) - full) > allowed / 100  # it was not float32


def test_whitening_reads_the_pool_and_nothing_else():
    first = fast([0])[0]().body[0].weight
    on = photographs()
    on.x[on.held_out], on.x[on.test] = 100.0, -100.0
    assert torch.equal(fast([0], on=on)[0]().body[0].weight, first)
    on.x[20:100] *= 2
    assert not torch.equal(fast([0], on=on)[0]().body[0].weight, first)


def test_filters_that_the_network_does_not_have_are_refused(monkeypatch):
    monkeypatch.setattr(fast_resnet, "from_sample", lambda x: {"body.9.weight": x})
    with pytest.raises(ValueError, match="fast_resnet has no weights body"):
        fast([0])


def dropping():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Dropout(0.5), nn.Linear(16, CLASSES))


def test_dropout_cannot_be_stacked_and_is_seeded_one_by_one():
    with pytest.raises(RuntimeError, match="random"):
        train({}, range(2), make=dropping)
    both, _ = train({}, [1, 2], stacked=False, make=dropping)
    alone, _ = train({}, [2], stacked=False, make=dropping)
    assert torch.equal(both["1.weight"][1], alone["1.weight"][0])


def test_full_trainings_agree_in_accuracy_and_leakage():
    on, recipe = data(noise=2.5), {"epochs": 30, "schedule": {"name": "cosine"}}
    outcome = []
    for stacked in (True, False):
        weights, history = train(recipe, range(8), stacked, on=on)
        last = [row for row in history if row["epoch"] == 30]
        answers = logits("mlp", weights, on.x).log_softmax(-1)
        confidence = answers.gather(-1, on.labels.expand(8, -1)[..., None])[..., 0].numpy()
        member = np.zeros((8, EXAMPLES), bool)
        for row, model in zip(member, models(range(8)), strict=True):
            row[model.examples] = True
        better = [c[m][:, None] > c[~m] for c, m in zip(confidence, member, strict=True)]
        accuracies = [[row["train_accuracy"], row["test_accuracy"]] for row in last]
        outcome.append((np.mean(accuracies, 0), np.mean(better)))
    (accuracy, area), (accuracy_single, area_single) = outcome
    assert area > 0.8  # the models do leak
    assert abs(area - area_single) < 0.02
    assert np.abs(accuracy - accuracy_single).max() < 0.02
