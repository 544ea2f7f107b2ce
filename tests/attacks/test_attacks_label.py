"""Attacks that see labels alone: they are told nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from miatlas.attacks import attack_p, attack_r, attack_s, gap, label_only
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


LABEL = {"statistic": "label"}


def ranked(draws, models=9, n=120, queries=3):
    """What S, P and R read of a target and its references, held-out examples too."""
    labels, held_out = draws.integers(4, size=n), draws.integers(4, size=40)
    shapes = {"target": (n,), "refs": (models, n), "target_held_out": (40,)}
    logits = {
        f"{who}_logits": draws.normal(size=(*shape, queries, 4))
        + 1.5 * np.eye(4)[held_out if who == "target_held_out" else labels][:, None]
        for who, shape in shapes.items()
    }
    outs = np.argsort(draws.random((models, n)), axis=0) < 5
    return {**logits, "refs_out": outs, "labels": labels, "held_out_labels": held_out}


def run(attack, given, **options):
    said = attack.ATTACK
    named = {name: given[name] for name in said.read_by_score(options)}
    if said.is_fitted(options):
        read = {name: given[name] for name in said.read_by_fit(options)}
        named["fitted"] = attack.fit([SimpleNamespace(**read)], **options)
    return attack.score(**named, **options)


OPTIONS = LABEL | {"smoothing": "empirical", "refs": "out", "per_class": None}
ASKED = {attack_s: ("smoothing", "statistic"), attack_p: ("smoothing", "statistic", "per_class"),
         attack_r: ("smoothing", "statistic", "refs")}  # fmt: skip


@pytest.mark.parametrize("attack", ASKED)
def test_on_labels_s_p_and_r_count_references_with_as_many_right_labels(attack):
    a = ranked(np.random.default_rng(5))

    def votes(logits, y):  # of the queries of one example under one model
        return sum(max(range(4), key=z.__getitem__) == y for z in logits)

    own = list(map(votes, a["target_logits"], a["labels"]))
    refs = np.array([list(map(votes, one, a["labels"])) for one in a["refs_logits"]])
    held_out = list(map(votes, a["target_held_out_logits"], a["held_out_labels"]))
    outs, pools = a["refs_out"], []
    for i, y in enumerate(a["labels"]):
        of_label = refs[:, a["labels"] == y][outs[:, a["labels"] == y]]
        pool = {attack_s: of_label, attack_p: held_out, attack_r: refs[outs[:, i], i]}[attack]
        pools.append(pool)
    options = {name: OPTIONS[name] for name in ASKED[attack]}
    found = run(attack, a, **options)
    expected = [-np.mean([k >= x for k in pool]) for x, pool in zip(own, pools, strict=True)]
    assert found == pytest.approx(expected)
    assert len(set(expected)) > 3


@pytest.mark.parametrize("attack", ASKED)
@pytest.mark.parametrize("smoothing", ["linear", "logit_gaussian", "mean_linear_logit"])
def test_on_labels_they_rank_the_loss_of_a_vote_and_need_nothing_but_labels(attack, smoothing):
    a = ranked(np.random.default_rng(6), queries=5)
    options = {name: OPTIONS[name] for name in ASKED[attack]} | {"smoothing": smoothing}
    found = run(attack, a, **options)
    assert not any("phi" in name for name in attack.ATTACK.read(options))
    labelled = {k: np.eye(4)[v.argmax(-1)] if "logits" in k else v for k, v in a.items()}
    assert np.array_equal(run(attack, labelled, **options), found)

    def of_vote(logits, labels):  # phi of the probability (right + 1/2) / (Q + 1)
        p = ((logits.argmax(-1) == labels[:, None]).sum(-1, keepdims=True) + 0.5) / 6
        return (np.log(p) - np.log1p(-p)).astype(np.float32)

    own = {k: a["held_out_labels" if "held_out" in k else "labels"] for k in a if "logits" in k}
    a |= {k.replace("logits", "phi"): of_vote(a[k], labels) for k, labels in own.items()}
    assert found == pytest.approx(run(attack, a, **options | {"statistic": "loss"}), rel=1e-5)


def test_on_labels_r_knows_which_are_hard_and_the_gap_attack_does_not():
    draws = np.random.default_rng(7)
    member, hard = draws.random(4000) < 0.5, np.where(draws.random(4000) < 0.7, 3.0, -1.0)
    labels, own = np.arange(4000) % 4, np.eye(4)[np.arange(4000) % 4]
    refs = draws.normal(size=(16, 4000, 4)) + hard[:, None] * own
    target = draws.normal(size=(4000, 4)) + (hard + 2 * member)[:, None] * own
    found = attack_r.score(
        refs_out=np.ones((16, 4000), bool), target_logits=target, refs_logits=refs, labels=labels,
        statistic="label",
    )  # fmt: skip
    areas = [auc(roc(s, member))["value"] for s in (found, gap.score(target, labels))]
    assert areas[0] > areas[1] + 0.02


def test_s_p_and_r_run_where_labels_alone_are_released_if_they_are_told_to():
    for attack, names in ASKED.items():
        entry = {"attack": attack.__name__.rpartition(".")[2]}
        options = {name: OPTIONS[name] for name in names}
        assert releases.complaint(entry | {"options": options}, {}, {"name": "label"}) is None
        said = releases.complaint(
            entry | {"options": options | {"statistic": "loss"}}, {}, {"name": "label"}
        )
        assert "needs confidences" in said
        assert "statistic: label does with that" in said


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
