"""Classifiers of members; the linear ones against a plain minimiser of the logistic loss."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fits import fitted, scored
from scipy.optimize import minimize

import miatlas
from miatlas import options
from miatlas.attacks import salem, shokri
from miatlas.attacks.shared import classifiers
from miatlas.leakage.roc import auc, roc
from miatlas.study.checking import checked

BY_MODEL = ("refs_logits", "refs_in", "refs_out")


def arrays(n=60, models=12, k=4, classes=4, shift=1.0, seed=0):
    """k IN references, k + 1 OUT ones and others neither, of each example; true logits shifted."""
    generator = np.random.default_rng(seed)
    ranks = np.argsort(np.argsort(generator.random((models, n)), axis=0), axis=0)
    labels, member = generator.integers(classes, size=n), generator.random(n) < 0.5
    refs_in, refs_out = ranks < k, ranks >= models - k - 1
    logits = generator.normal(size=(models + 1, n, classes)).astype(np.float32)
    logits += shift * np.vstack([refs_in, member])[..., None] * np.eye(classes)[labels]
    return {
        "target_logits": logits[-1], "labels": labels, "examples": 10 + 3 * np.arange(n),
        "refs_logits": logits[:-1], "refs_in": refs_in, "refs_out": refs_out,
    }, member  # fmt: skip


def run(attack, a, pieces=1, **given):
    """The lessons are about the evaluated examples, as in a `half` design."""
    chosen = checked(given, options.declared(Path(attack.__file__), "score"), "test")
    indices = np.array_split(np.arange(len(a["labels"])), pieces)
    cuts = [{n: v[:, i] if n in BY_MODEL else v[i] for n, v in a.items()} for i in indices]
    fit = fitted(attack, cuts, chosen)
    return np.concatenate([scored(attack, cut, fit, chosen) for cut in cuts])


def lesson(arrays, attack):
    return SimpleNamespace(**{name: arrays[name] for name in attack.ATTACK.read_by_fit()})


def softmax(logits, ordered=False):
    powers = [np.exp(float(z)) for z in logits]
    p = [power / sum(powers) for power in powers]
    return sorted(p, reverse=True) if ordered else p


def logistic(members, others, observed):
    """Member probability by an L2-penalised logistic regression on standardised vectors."""
    x, y = np.array(members + others), np.repeat([1.0, -1.0], [len(members), len(others)])
    mu, s = x.mean(axis=0), x.std(axis=0)
    x = (x - mu) / s

    def loss(w):
        return np.logaddexp(0, -y * (x @ w[1:] + w[0])).sum() + w[1:] @ w[1:] / 2

    w = minimize(loss, np.zeros(x.shape[1] + 1), options={"gtol": 1e-7}).x
    return 1 / (1 + np.exp(-((np.array(observed) - mu) / s @ w[1:] + w[0])))


def answers(a, kind, examples, ordered):
    used = [(m, i) for i in examples for m in np.flatnonzero(a[f"refs_{kind}"][:, i])]
    return [softmax(a["refs_logits"][m, i], ordered) for m, i in used]


@pytest.mark.parametrize("vectors", ["raw", "sorted"])
@pytest.mark.parametrize("few", [False, True])
def test_shokri_is_a_classifier_of_each_class_written_out(vectors, few):
    """k IN and k OUT references, so that all vectors are used, whatever their ranks."""
    a, _ = arrays(n=40)
    a["refs_out"][np.argmax(a["refs_out"], axis=0), np.arange(40)] = False
    a["labels"] = np.arange(40) % 3
    if few:  # 4 examples × 4 references of a kind: fewer than a class needs for itself
        a["labels"][:] = np.where(np.arange(40) < 4, 2, np.arange(40) % 2)
    found = run(shokri, a, pieces=3, classifier="linear", vectors=vectors, maximum=10**6)
    for label in range(3):
        own = np.flatnonzero(a["labels"] == label)
        alone = not (few and label == 2)
        pool, ordered = (own, vectors == "sorted") if alone else (range(40), True)
        observed = [softmax(a["target_logits"][i], ordered) for i in own]
        pools = [answers(a, kind, pool, ordered) for kind in ("in", "out")]
        assert found[own] == pytest.approx(logistic(*pools, observed), abs=2e-4)


def test_salem_is_a_classifier_by_one_model_written_out():
    """Which reference is the shadow model is a draw: the scores must be those of one, exactly."""
    a, _ = arrays(n=150, k=6)
    a["refs_out"] = ~a["refs_in"]  # 12 models, each IN or OUT
    fewest = int(min(a["refs_in"].sum(axis=1).min(), a["refs_out"].sum(axis=1).min()))
    found = run(salem, a, pieces=4, classifier="linear", maximum=10**6)
    observed = [softmax(z, ordered=True)[:3] for z in a["target_logits"]]
    gaps = []
    for model in range(12):
        rank = classifiers.ranks(a["examples"], a["refs_logits"][model])
        sides = [np.flatnonzero(a[f"refs_{kind}"][model]) for kind in ("in", "out")]
        fewest = min(map(len, sides))
        chosen = [sorted(side, key=rank.__getitem__)[:fewest] for side in sides]
        pools = [[softmax(a["refs_logits"][model, i], True)[:3] for i in side] for side in chosen]
        gaps.append(np.abs(logistic(*pools, observed) - found).max())
    assert sorted(gaps)[0] < 2e-4 < 20 * 2e-4 < sorted(gaps)[1]


def recorded(monkeypatch, attack, a, **given):
    """Return the vectors (members, others) that each classifier was trained on."""
    calls, train = [], classifiers.train
    keep = lambda *given: calls.append(given[1:]) or train(*given)  # noqa: E731
    monkeypatch.setattr(classifiers, "train", keep)
    run(attack, a, classifier="linear", **given)
    monkeypatch.undo()
    return calls


def test_training_vectors_are_as_many_of_either_kind_and_no_more_than_the_maximum(monkeypatch):
    a, _ = arrays(n=300)
    for maximum, sizes in ((50, {50}), (10**6, set(4 * np.bincount(a["labels"])))):
        calls = recorded(monkeypatch, shokri, a, maximum=maximum)
        assert [len(vectors) for vectors in calls[0]] == 2 * [min(maximum, 4 * 300)]  # any class
        assert {len(vectors) for call in calls[1:] for vectors in call} == sizes
        assert len(calls) == 5
    for maximum in (40, 10**6):
        [(members, others)] = recorded(monkeypatch, salem, a, maximum=maximum)
        assert len(members) == len(others) <= maximum
        assert len(members) > 30


def test_salem_trains_on_one_models_answers_and_the_largest_posteriors_of_them(monkeypatch):
    for classes, posteriors, wide in ((5, 3, 3), (5, 1, 1), (5, 9, 5), (2, 3, 2)):
        a, _ = arrays(classes=classes)
        [(members, others)] = recorded(monkeypatch, salem, a, posteriors=posteriors)
        assert members.shape[1] == wide
        assert (np.diff(members, axis=1) <= 0).all()
        top = -np.sort(-classifiers.confidences(a["refs_logits"]), axis=-1)[..., :wide]
        for vectors, mask in ((members, a["refs_in"]), (others, a["refs_out"])):
            found = [set(np.argwhere((top == v).all(axis=-1) & mask)[:, 0]) for v in vectors]
            assert len(set.intersection(*found)) == 1


def test_salem_passes_over_references_without_members_or_with_nothing_else(monkeypatch):
    a, _ = arrays()
    a["refs_in"][:, :], a["refs_out"][:, :] = False, False
    a["refs_in"][:6], a["refs_out"][6:] = True, True
    with pytest.raises(ValueError, match="both members and non-members"):
        run(salem, a)
    a["refs_out"][2, 30:], a["refs_in"][2, 30:] = True, False
    [(members, others)] = recorded(monkeypatch, salem, a)
    expected = -np.sort(-classifiers.confidences(a["refs_logits"][2]), axis=-1)[:, :3]
    for vectors, side in ((members, expected[:30]), (others, expected[30:])):
        assert sorted(map(tuple, vectors)) == sorted(map(tuple, side))


@pytest.mark.parametrize("attack", [shokri, salem])
@pytest.mark.parametrize("classifier", ["mlp", "linear"])
def test_a_bounded_sample_is_the_same_in_any_slices_any_order_and_twice(attack, classifier):
    a, _ = arrays(n=200)
    given = {"classifier": classifier, "maximum": 25}
    whole = run(attack, a, **given)
    assert np.array_equal(run(attack, a, **given), whole)
    for pieces in (2, 11):
        assert run(attack, a, pieces=pieces, **given) == pytest.approx(whole, rel=1e-9)
    order = np.random.default_rng(1).permutation(12)
    moved = a | {name: a[name][order] for name in BY_MODEL}
    assert np.array_equal(run(attack, moved, **given), whole)
    assert run(attack, a, classifier=classifier, maximum=24) != pytest.approx(whole, rel=1e-9)


def test_a_class_without_lessons_has_the_classifier_of_all_classes():
    a, _ = arrays(n=200)
    chosen = {"classifier": "linear", "vectors": "raw", "maximum": 1000}
    fitted = shokri.fit([lesson(a, shokri)], **chosen)
    strange = shokri.score(a["target_logits"], np.full(200, 77), fitted)
    known = shokri.score(a["target_logits"], a["labels"], fitted)
    sure = np.sort(classifiers.confidences(a["target_logits"]))[:, ::-1]
    assert strange == pytest.approx(classifiers.probability(fitted["any"][1], sure))
    assert strange != pytest.approx(known)
    a["refs_in"][:] = False
    with pytest.raises(ValueError, match="no members, or no non-members"):
        shokri.fit([lesson(a, shokri)], **chosen)


@pytest.mark.parametrize("attack", [shokri, salem])
def test_what_may_not_be_read_changes_nothing(attack):
    a, _ = arrays(n=100)
    expected = run(attack, a)
    refs = a["refs_logits"].copy()
    refs[~(a["refs_in"] | a["refs_out"])] = 50.0  # models that are no reference of the example
    assert np.array_equal(run(attack, a | {"refs_logits": refs}), expected)
    first = np.arange(100) < 50  # the target's answers about others
    changed = np.where(first[:, None], a["target_logits"], 7 * a["target_logits"])
    found = run(attack, a | {"target_logits": changed})
    assert found[first] == pytest.approx(expected[first], rel=1e-12)
    assert found[~first] != pytest.approx(expected[~first])
    queries = {n: np.stack([a[n], a[n] + 9, -a[n]], axis=-2) for n in a if n.endswith("logits")}
    assert np.array_equal(run(attack, a | queries), expected)


@pytest.mark.parametrize("classifier", ["mlp", "linear"])
def test_members_score_higher_and_noise_tells_nothing(classifier):
    for attack in (shokri, salem):
        for shift, seen in ((2.0, True), (0.0, False)):
            a, member = arrays(n=1500, shift=shift, seed=5)
            found = run(attack, a, classifier=classifier)
            assert ((found > 0) & (found < 1)).all()
            judged = auc(roc(found, member))
            assert (judged["low"] > 0.55) == seen
            assert seen or judged["low"] < 0.5 < judged["high"]


def test_classes_of_opposite_sense_need_a_classifier_each():
    """Members of classes 0 and 1 are surer, of 2 and 3 less sure: what shokri has a label for."""
    a, member = arrays(n=1500, shift=0.0)
    sense = np.where(a["labels"] < 2, 2.5, -2.5)[:, None] * np.eye(4)[a["labels"]]
    a["refs_logits"] = a["refs_logits"] + a["refs_in"][..., None] * sense
    a["target_logits"] = a["target_logits"] + member[:, None] * sense
    by_class, together = (auc(roc(run(attack, a), member)) for attack in (shokri, salem))
    assert by_class["low"] > 0.75
    assert together["high"] < by_class["low"]


def test_an_mlp_finds_members_in_the_middle_where_a_line_cannot():
    generator = np.random.default_rng(3)
    a, member = arrays(n=1500, classes=2)
    side = generator.choice([-4.0, 4.0], size=(13, 1500))
    side[np.vstack([a["refs_in"], member])] = 0.0
    logits = np.stack([side, 0 * side], axis=-1) + generator.normal(size=(13, 1500, 2))
    a |= {"target_logits": logits[-1], "refs_logits": logits[:-1]}
    curved, straight = (run(shokri, a, classifier=name) for name in ("mlp", "linear"))
    assert auc(roc(curved, member))["low"] > 0.9
    assert auc(roc(straight, member))["high"] < 0.65


@pytest.mark.parametrize("classifier", ["mlp", "linear"])
def test_the_units_of_a_vector_do_not_matter(classifier):
    vectors = np.random.default_rng(4).normal(size=(3, 80, 2))  # of members, of others, observed
    vectors[[0, 2]] += 1
    units, origin = np.array([1e-4, 1e3]), np.array([5.0, 0.0])
    plain, moved = (
        classifiers.probability(classifiers.train(classifier, m, o), x)
        for m, o, x in (vectors, vectors * units + origin)
    )
    assert moved == pytest.approx(plain, rel=1e-6)
    assert np.ptp(plain) > 0.5


def test_a_sample_keeps_the_lowest_ranks_of_each_group():
    generator = np.random.default_rng(0)
    sample = classifiers.Sample(20, lambda logits: logits[:, :1] * 2)
    offered = {"few": [], "many": []}
    for size in (5, 0, 40, 3, 30):
        for group, share in (("few", 0.1), ("many", 1.0)):
            rank = generator.integers(2**63, size=int(size * share), dtype=np.uint64)
            logits = rank[:, None] % 1000 + np.array([0.0, 1.0])
            sample.add(group, logits, rank)
            offered[group] += zip(rank.tolist(), 2 * logits[:, 0], strict=True)
    sample.merge("all", ["few", "many"])
    offered["all"] = offered["few"] + offered["many"]
    for group, expected in offered.items():
        ranks, vectors = sample.kept[group]
        assert list(zip(ranks.tolist(), vectors[:, 0], strict=True)) == sorted(expected)[:20]
    assert sample.size("few") == 7 == len(sample.pair("few", "many")[1])


def test_ranks_are_even_and_know_the_example_and_every_digit_of_the_answer():
    logits = np.random.default_rng(0).normal(size=(20, 500, 3)).astype(np.float16)
    examples = np.arange(1000, 1500)
    rank = classifiers.ranks(examples, logits)
    assert np.array_equal(rank[3:5, 40:70], classifiers.ranks(examples[40:70], logits[3:5, 40:70]))
    low = rank < 2**62  # a quarter of them, whoever the model or the example
    assert abs(low.mean(axis=0) - 0.25).max() < 5 * np.sqrt(0.1875 / 20)
    assert abs(low.mean(axis=1) - 0.25).max() < 5 * np.sqrt(0.1875 / 500)
    same = np.ones((2, 500, 3), dtype=np.float32)  # sure answers are often alike to the last bit
    assert len(np.unique(classifiers.ranks(examples, same))) == 500
    other = same.copy()
    other[1, :, 2] = np.nextafter(np.float32(1), np.float32(2))
    assert len(np.unique(classifiers.ranks(examples, other))) == 1000


@pytest.mark.parametrize("name", ["shokri", "salem"])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"classifier": "forest"}, "must be one of mlp, linear"),
        ({"maximum": 0}, "must be positive"),
        ({"maximum": 10.5}, "must be of type int"),
        ({"vectors": "shuffled"}, "one of raw, sorted|unknown option"),
        ({"posteriors": 0}, "must be positive|unknown option"),
        ({"seed": 3}, "unknown option"),
    ],
)
def test_wrong_options_are_refused(name, given, message):
    attack = {"shokri": shokri, "salem": salem}[name]
    declared = options.declared(Path(attack.__file__), "score")
    with pytest.raises(ValueError, match=message):
        checked(given, declared, name)


def test_reading_the_modules_does_not_read_scikit_learn():
    modules = "miatlas.attacks.shokri, miatlas.attacks.salem, sys"
    code = f"import {modules}; sys.exit('sklearn' in sys.modules)"
    folder = Path(miatlas.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=folder, check=False).returncode == 0
