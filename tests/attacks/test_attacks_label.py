"""Attacks that see labels alone: they are told nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from miatlas.attacks import gap, label_only
from miatlas.leakage.roc import auc, roc
from miatlas.signals.probes import noise, noisy_labels
from miatlas.study import attack_modules, releases


@pytest.mark.parametrize("queries", [False, True])
def test_the_gap_attack_says_member_where_the_answer_is_right(queries):
    draws = np.random.default_rng(0)
    logits, labels = draws.normal(size=(200, 5)), draws.integers(5, size=200)
    right = [max(range(5), key=z.__getitem__) == y for z, y in zip(logits, labels, strict=True)]
    given = np.stack([logits, -logits], axis=1) if queries else logits
    assert gap.score(given, labels).tolist() == [float(one) for one in right]


def test_the_gap_attacks_advantage_is_the_gap_between_the_accuracies():
    draws = np.random.default_rng(1)
    member, labels = draws.random(4000) < 0.5, draws.integers(5, size=4000)
    logits = draws.normal(size=(4000, 5)) + 2 * np.eye(5)[labels] * (0.5 + member[:, None])
    right = logits.argmax(axis=1) == labels
    area = auc(roc(gap.score(logits, labels), member))["value"]
    assert 2 * area - 1 == pytest.approx(right[member].mean() - right[~member].mean())


def confident(draws, models, n, member):
    """Logits of models that are surer, and oftener right, about what they have trained on."""
    labels = np.arange(n) % 4
    own = (1 + member)[..., None, None] * np.eye(4)[labels][:, None]
    return labels, draws.normal(size=(models, n, 3, 4)) + own


def told(attack, labels, answered, **given):
    """Score by one-hot answers: of the logits nothing is left but which is the largest."""
    return attack.score(target_logits=np.eye(4)[answered], labels=labels, **given)


@pytest.mark.parametrize("queries", [None, 1, 2])
def test_label_only_is_the_share_of_right_labels_and_needs_nothing_but_labels(queries):
    draws = np.random.default_rng(2)
    member = draws.random((1, 4000)) < 0.5
    labels, logits = confident(draws, 1, 4000, member)
    answered = logits[0].argmax(axis=-1)
    given = {"copies": "queries", "queries": queries}
    found = label_only.score(target_logits=logits[0], labels=labels, **given)
    expected = [
        np.mean([a == y for a in row[:queries]]) for row, y in zip(answered, labels, strict=True)
    ]
    assert found == pytest.approx(expected)
    assert np.array_equal(told(label_only, labels, answered, **given), found)
    assert auc(roc(found, member[0]))["low"] > 0.55
    assert np.array_equal(gap.score(logits[0], labels), told(gap, labels, answered))


def test_of_the_untouched_answer_alone_it_is_the_gap_attack():
    draws = np.random.default_rng(3)
    labels, logits = confident(draws, 1, 500, np.zeros((1, 500)))
    found = label_only.score(target_logits=logits[0, :, 0], labels=labels, copies="queries")
    assert np.array_equal(found, gap.score(logits[0], labels))
    with pytest.raises(ValueError, match=r"queries is 2.* hold 1"):
        label_only.score(target_logits=logits[0, :, 0], labels=labels, copies="queries", queries=2)


@pytest.mark.parametrize("name", ["gap", "label_only"])
def test_they_run_where_labels_alone_are_released(name):
    said = attack_modules.said(name)
    for copies in ("noisy", "queries"):
        options = {"copies": copies, "queries": None}
        one = {"attack": name, "options": options}
        assert releases.complaint(one, {}, {"name": "label"}) is None
        assert not any("phi" in what or "noise" in what for what in said.read(options))
    grouped = {"attack": "label_only", "options": {"copies": "noisy", "queries": None}}
    assert "reads noisy_labels" in releases.complaint(grouped, {}, {"name": "groups", "size": 2})


class Labels:
    """Models that answer a label, and fail whoever wants to know how sure they are of it."""

    def __init__(self, weights):
        self.weights, self.models = weights, len(weights)

    def slices(self, count, x):
        return [slice(start, min(start + 7, count)) for start in range(0, count, 7)]

    def answer(self, x):
        best = torch.einsum("bd,kdc->kbc", x, self.weights).argmax(-1)
        return torch.nn.functional.one_hot(best, self.weights.shape[-1])  # integers: no confidence


def test_the_probe_counts_right_labels_of_the_copies_that_merlin_has_too():
    draws = torch.Generator().manual_seed(0)
    weights, x = torch.randn(2, 5, 3, generator=draws), torch.randn(11, 5, generator=draws)
    labels, deviations = np.arange(11) % 3, [0.1, 1.0]
    found = noisy_labels.measure(Labels(weights), x, labels, copies=6, deviations=deviations)
    copies = noise.draw(0, 11, (6, 5))
    for k in range(2):
        for i in range(11):
            for s, sigma in enumerate(deviations):
                answers = [(x[i] + sigma * e) @ weights[k] for e in copies[i]]
                right = np.mean([int(a.argmax()) == labels[i] for a in answers])
                assert found[k, i, s] == pytest.approx(right)
    for wrong in ([], [0.1, 0.0]):
        with pytest.raises(ValueError, match="positive"):
            noisy_labels.measure(Labels(weights), x, labels, deviations=wrong)


def test_the_deviation_is_the_one_at_which_shadow_models_tell_members_best():
    draws = np.random.default_rng(4)
    member = draws.random((6, 200)) < 0.5
    rate = np.where(member[..., None], [0.5, 0.8, 0.6], 0.5)
    shares = (draws.binomial(20, rate) / 20).astype(np.float32)
    piece = SimpleNamespace(refs_noisy_labels=shares, refs_in=member, refs_out=~member)
    chosen = label_only.fit([label_only.summarise(piece), label_only.summarise(piece)])
    assert chosen == 1
    found = label_only.score(target_noisy_labels=shares[0], fitted=chosen)
    assert found.tolist() == shares[0, :, 1].tolist()
