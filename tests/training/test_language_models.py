"""gpt2 against its formulas, written out token by token, and as one of the pipeline's networks."""

import math

import numpy as np
import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from miatlas.signals import queries as signals
from miatlas.signals.probes import gradients
from miatlas.signals.probes.confidence import phi
from miatlas.signals.statistics import logit_scaled_confidence, loss_from_phi
from miatlas.training import trainer as training
from miatlas.training.architectures import gpt2
from miatlas.training.batches import Data, Model
from miatlas.training.ensemble import Ensemble

SMALL = {"vocabulary": 11, "width": 12, "depth": 2, "heads": 3}
LENGTH = 6


def build(seed=0, length=LENGTH, **options):
    """Return a small network whose weights are large enough to make a difference."""
    torch.manual_seed(seed)
    network = gpt2.build((length,), 1, **SMALL | options)
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.5)
    return network.double()


def windows(n=5, length=LENGTH, vocabulary=11, seed=1):
    ids = torch.randint(1, vocabulary, (n, length), generator=torch.Generator().manual_seed(seed))
    return ids.double()


def normed(x, layer):
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt() * layer.weight + layer.bias


def gelu(x):
    return x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def scores_by_hand(network, window):
    """Return the scores (L, V) of a window's tokens: one head and one position after the other."""
    before = [0, *window.long().tolist()[:-1]]
    states = torch.stack([network.tokens.weight[i] for i in before]) + network.places
    for block in network.blocks:
        inner = normed(states, block.norm1)
        q, k, v = (inner @ block.attend.weight.T + block.attend.bias).chunk(3, dim=1)
        size, mixed = q.shape[1] // block.heads, torch.zeros_like(q)
        for head in range(block.heads):
            own = slice(head * size, (head + 1) * size)
            for t in range(len(states)):
                likeness = torch.stack([q[t, own] @ k[s, own] for s in range(t + 1)])
                shares = torch.softmax(likeness / math.sqrt(size), 0)
                mixed[t, own] = sum(shares[s] * v[s, own] for s in range(t + 1))
        states = states + mixed @ block.project.weight.T + block.project.bias
        hidden = gelu(normed(states, block.norm2) @ block.inner.weight.T + block.inner.bias)
        states = states + hidden @ block.outer.weight.T + block.outer.bias
    return normed(states, network.norm) @ network.tokens.weight.T


def test_answers_are_the_mean_token_loss_of_the_written_out_network():
    network, x = build(), windows()
    losses = torch.stack([
        torch.nn.functional.cross_entropy(scores_by_hand(network, each), each.long()) for each in x
    ])  # fmt: skip
    logits, zeros = network(x), torch.zeros(len(x), dtype=torch.long)
    assert logits.shape == (len(x), 2)
    torch.testing.assert_close(logits[:, 0], -losses)
    torch.testing.assert_close(logits.exp().sum(1), torch.ones(len(x)).double())
    trained_on = torch.nn.functional.cross_entropy(logits, zeros, reduction="none")
    torch.testing.assert_close(trained_on, losses)
    p = (-losses).exp()
    torch.testing.assert_close(phi(logits, zeros), (p / (1 - p)).log())


@pytest.mark.parametrize("loss", [1e-6, 1e-3, 0.5, 3.0, 12.0, 80.0])
def test_phi_is_exact_in_float32_wherever_p_is(loss):
    loss = torch.tensor([loss])
    found = phi(gpt2.with_complement(-loss), torch.zeros(1, dtype=torch.long))
    p = (-loss.double()).exp()
    exact = -loss.double() - (-torch.expm1(-loss.double())).log() if p > 0 else -loss.double()
    torch.testing.assert_close(found.double(), exact, rtol=3e-7, atol=3e-7)


def test_a_certain_answer_stays_finite_and_can_be_learned_from():
    log_p = torch.zeros(1, requires_grad=True)
    logits = gpt2.with_complement(log_p)
    assert torch.isfinite(logits).all()
    torch.nn.functional.cross_entropy(logits, torch.zeros(1, dtype=torch.long)).backward()
    assert torch.isfinite(log_p.grad).all()


def test_the_gradient_is_that_of_the_token_loss():
    network, x = build(), windows()
    zeros = torch.zeros(len(x), dtype=torch.long)
    torch.nn.functional.cross_entropy(network(x), zeros).backward()
    ours = [weights.grad.clone() for weights in network.parameters()]
    network.zero_grad()
    scores = torch.stack([scores_by_hand(network, each) for each in x])
    torch.nn.functional.cross_entropy(scores.flatten(0, 1), x.long().flatten()).backward()
    for gradient, weights in zip(ours, network.parameters(), strict=True):
        torch.testing.assert_close(gradient, weights.grad)


@pytest.mark.parametrize("t", range(LENGTH))
def test_a_token_changes_nothing_before_it(t):
    network, x = build(), windows()
    changed = x.clone()
    changed[:, t] = 1 + x[:, t] % 10
    first, second = network.log_probabilities(x), network.log_probabilities(changed)
    torch.testing.assert_close(first[:, :t], second[:, :t], rtol=0, atol=0)
    assert (first[:, t:] != second[:, t:]).all()
    states, others = network.states(x), network.states(changed)
    torch.testing.assert_close(states[:, : t + 1], others[:, : t + 1], rtol=0, atol=0)


def test_probabilities_of_all_windows_sum_to_one():
    network = build(length=3, vocabulary=4)
    every = torch.cartesian_prod(*[torch.arange(4.0)] * 3).double()
    log_p = network.log_probabilities(every).sum(1)
    torch.testing.assert_close(log_p.exp().sum(), torch.ones(()).double())


def test_gpt2_small_has_its_published_size():
    """124 million parameters, by Radford et al.'s released weights; the paper's table has 117."""
    with torch.device("meta"):
        network = gpt2.build((1024,), 1, vocabulary=50257, width=768, depth=12, heads=12)
    assert sum(weights.numel() for weights in network.parameters()) == 124_439_808


def test_untrained_networks_know_nothing():
    torch.manual_seed(0)
    network = gpt2.build((16,), 1, vocabulary=500)
    x = windows(50, 16, 500).float()
    assert -network(x)[:, 0].mean().item() == pytest.approx(math.log(500), rel=0.01)


def test_stacked_is_one_by_one():
    networks, x = [build(seed) for seed in (1, 2)], torch.stack([windows(seed=3), windows(seed=4)])
    assert gpt2.STACKABLE
    parameters, buffers = stack_module_state(networks)
    assert not buffers
    stacked = vmap(lambda p, x: functional_call(networks[0], p, (x,)))(parameters, x)
    stacked.square().mean((1, 2)).sum().backward()
    for k, network in enumerate(networks):
        alone = network(x[k])
        alone.square().mean().backward()
        torch.testing.assert_close(stacked[k], alone, rtol=1e-9, atol=1e-9)
        for name, weights in network.named_parameters():
            torch.testing.assert_close(parameters[name].grad[k], weights.grad, rtol=1e-8, atol=1e-9)


def test_windows_are_answered_in_parts_of_any_size(monkeypatch):
    network, x = build(), windows(7)
    whole = network(x)
    monkeypatch.setitem(gpt2.AT_ONCE, "cpu", 2 * LENGTH * 11)  # two windows
    torch.testing.assert_close(network(x), whole)
    monkeypatch.setitem(gpt2.AT_ONCE, "cpu", 1)
    torch.testing.assert_close(network(x), whole)


def test_features_are_the_mean_state():
    networks, x = [build(seed).float() for seed in (1, 2)], windows().float()
    group = Ensemble.from_networks(networks, "cpu").features()
    means = torch.stack([network.states(x).mean(1) for network in networks])
    assert means.shape == (2, 5, 12)
    torch.testing.assert_close(group.answer(x), means)


@pytest.mark.parametrize("stacked", [True, False])
def test_signals_hold_the_mean_token_loss(stacked):
    networks, x = [build(seed).float() for seed in (1, 2)], windows(7).float()
    group = Ensemble.from_networks(networks, "cpu")
    queries = {"count": 1, "mirror": True, "shift": 4, "logits": "first", "temperature": 1.0}
    labels = np.zeros(7, np.int64)
    ((where, fetch),) = signals.extract(group, x, labels, queries, stacked)
    answers = fetch()
    losses = torch.stack([-n.double().log_probabilities(x.double()).mean(1) for n in networks])
    assert where == slice(0, 7)
    found = loss_from_phi(answers["phi"][..., 0])
    np.testing.assert_allclose(found, losses.detach().numpy(), rtol=1e-5)
    again = logit_scaled_confidence(answers["logits"], labels)
    np.testing.assert_allclose(again, answers["phi"][..., 0], rtol=1e-5)


def test_gradient_norms_of_windows_are_those_of_each_alone():
    network, x = build().float(), windows(3).float()
    measured = gradients.measure(Ensemble.from_networks([network], "cpu"), x, np.zeros(3, int))
    for norms, window in zip(measured[0], x, strict=True):
        network.zero_grad()
        (-network(window[None])[0, 0]).backward()
        flat = torch.cat([weights.grad.flatten() for weights in network.parameters()])
        expected = [flat.norm(1).item(), flat.norm(2).item(), flat.abs().max().item()]
        np.testing.assert_allclose(norms, expected, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_tiny_model_learns_its_windows_by_heart_and_no_others(stacked, precision):
    x = windows(16, 8, 20).float()
    data = Data(x, torch.zeros(16, dtype=torch.long), *[torch.zeros(0, dtype=torch.long)] * 2)
    halves = np.arange(16).reshape(2, 8)
    models = [Model(k, half, k, k, k) for k, half in enumerate(halves)]
    recipe = {
        "batch_size": 8, "epochs": 150, "optimizer": {"name": "adam", "lr": 0.01}, "ema": None,
        "schedule": {"name": "constant"}, "augmentation": {"name": "none"}, "gradient_clip": 1.0,
        "label_smoothing": 0.0, "early_stopping": None, "precision": precision, "privacy": None,
    }  # fmt: skip

    def make():
        return gpt2.build((8,), 1, vocabulary=20, width=32, depth=1, heads=2)

    weights, history = training.train(
        make, recipe, data, models, 8, 1 + stacked, lambda *progress: None
    )
    losses = -Ensemble.from_weights(make(), weights, "cpu").answer(x)[..., 0]
    for own, others, half in zip(losses, losses.flip(0), halves, strict=True):
        # Which of 8 windows it is takes log 8 nats, whatever the model; the rest is known by heart.
        assert own[half].mean().item() == pytest.approx(math.log(8) / 8, abs=0.01)
        assert others[half].min() > math.log(20)
    assert {row["accuracy"] for row in history if row["epoch"] == 150} == {1.0}  # p > 1/2


@pytest.mark.parametrize(("shape", "classes"), [((3, 8, 8), 1), ((8,), 2)])
def test_what_is_no_text_is_refused(shape, classes):
    with pytest.raises(ValueError, match="gpt2 needs windows of token ids"):
        gpt2.build(shape, classes)


def test_heads_share_the_width():
    with pytest.raises(ValueError, match="width 10 cannot be shared among 4 heads"):
        gpt2.build((8,), 1, width=10, heads=4)
