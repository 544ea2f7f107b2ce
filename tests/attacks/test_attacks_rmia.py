"""RMIA against all pairs, one by one."""

from math import factorial
from pathlib import Path

import numpy as np
import pytest
from fits import fitted, scored

from miatlas import options
from miatlas.attacks import base, rmia
from miatlas.attacks.shared import classifiers, likelihoods
from miatlas.signals.statistics import logit_scaled_confidence
from miatlas.study.checking import checked

SOURCE = Path(rmia.__file__)
DECLARED = options.declared(SOURCE, "score")


def arrays(seed=0, n=40, held_out=25, models=10, classes=3):
    """Logits (M + 1, ...) in float32, the last model's being the target's."""
    generator = np.random.default_rng(seed)
    ranks = np.argsort(generator.random((models, n)), axis=0)
    logits = 2 * generator.normal(size=(models + 1, n + held_out, classes)).astype(np.float32)
    labels = generator.integers(classes, size=n + held_out)
    is_true = np.arange(classes) == labels[:, None]
    others = np.exp(np.where(is_true, -np.inf, logits)).sum(axis=-1)
    phi = np.where(is_true, logits, 0).sum(axis=-1) - np.log(others)
    a = {"refs_in": ranks < 4, "refs_out": ranks > 5}
    for name, signal in (("phi", phi[..., None]), ("logits", logits)):
        a[f"target_{name}"], a[f"refs_{name}"] = signal[-1, :n], signal[:-1, :n]
        a[f"target_held_out_{name}"] = signal[-1, n:]
        a[f"refs_held_out_{name}"] = signal[:-1, n:]
    return a | {
        "labels": labels[:n], "held_out_labels": labels[n:], "examples": np.arange(n) * 3 + 5,
    }  # fmt: skip


def run(data, pieces=1, **given):
    chosen = checked(given, DECLARED, "rmia")
    names = rmia.ATTACK.read(chosen)
    n = len(data["examples"])
    cuts = []
    for i in np.array_split(np.arange(n), pieces):
        cut = {}
        for name in names | {"examples"}:
            whole = "held_out" in name
            cut[name] = (
                data[name] if whole else data[name][(*[slice(None)] * name.startswith("refs"), i)]
            )
        cuts.append(cut)
    fit = fitted(rmia, cuts, chosen)
    return np.concatenate([scored(rmia, cut, fit, chosen) for cut in cuts])


def slow_confidence(z, y, chosen):
    """p of one vector of logits, from the definition."""
    z = z.astype(float) / chosen["temperature"]
    if chosen["statistic"] == "softmax":
        return np.exp(z[y]) / np.exp(z).sum()
    e = [sum(v**i / factorial(i) for i in range(chosen["order"] + 1)) for v in z]
    own = z[y] - chosen["margin"]
    top = sum(own**i / factorial(i) for i in range(chosen["order"] + 1))
    return top / (top + sum(e) - e[y])


def slow(data, **given):
    """All pairs, with p(x) model by model."""
    chosen = checked(given, DECLARED, "rmia")

    def ratio(i, part, query=0):
        y = data["held_out_labels" if part else "labels"][i]
        of = lambda z: z[i] if z.ndim == 2 else z[i, query]  # noqa: E731
        p = [slow_confidence(of(z), y, chosen) for z in data[f"refs_{part}logits"]]
        ins, outs = [], list(range(len(p)))
        if not part:
            ins, outs = (np.flatnonzero(data[f"refs_{kind}"][:, i]) for kind in ("in", "out"))
        if chosen["mode"] == "offline":
            p_x = ((1 + chosen["a"]) * mean(p, outs) + 1 - chosen["a"]) / 2
        else:
            p_x = np.mean([mean(p, kind) for kind in (ins, outs) if len(kind)])
        return slow_confidence(of(data[f"target_{part}logits"]), y, chosen) / p_x

    def mean(p, models):
        values = sorted(p[m] for m in models)
        while len(values) > 2 and len(models) - len(values) < 2 * int(chosen["trim"] * len(models)):
            values = values[1:-1]
        return np.mean(values)

    x = [ratio(i, "") for i in range(len(data["labels"]))]
    queries = range(chosen["queries"])
    each = [[ratio(i, "", q) for q in queries] for i in range(len(data["labels"]))]
    held_out = [ratio(i, "held_out_") for i in range(len(data["held_out_labels"]))]
    scores = []
    for i, own in enumerate(each):
        z = [*x[:i], *x[i + 1 :]] if chosen["population"] == "all" else held_out
        if chosen["score"] == "log_ratio":
            scores.append(np.mean([np.log(own[0] / other) for other in z]))
            continue
        votes = [sum(one / other >= chosen["gamma"] for one in own) for other in z]
        scores.append(np.mean([2 * vote > len(own) for vote in votes]))
    return np.array(scores)


@pytest.mark.parametrize("mode", ["online", "offline"])
@pytest.mark.parametrize("population", ["held_out", "all"])
@pytest.mark.parametrize(
    "given",
    [
        {}, {"temperature": 1.0}, {"temperature": 1, "gamma": 1}, {"gamma": 0.5},
        {"a": 0.0, "gamma": 1.2}, {"a": 1, "gamma": 1.2}, {"statistic": "taylor_soft_margin"},
        {"statistic": "taylor_soft_margin", "order": 2, "margin": 0.0, "temperature": 1.0},
        {"trim": 0.3, "gamma": 1.2}, {"trim": 0.5, "temperature": 1.0}, {"score": "log_ratio"},
    ],
)  # fmt: skip
def test_sorted_is_all_pairs(mode, population, given):
    given = {"mode": mode, "population": population} | given
    for seed in range(3):
        a = arrays(seed)
        expected = slow(a, **given)
        assert len(set(expected)) > 3
        assert run(a, **given) == pytest.approx(expected, abs=1e-12)
        assert np.array_equal(run(a, pieces=6, **given), run(a, **given))


@pytest.mark.parametrize("population", ["held_out", "all"])
@pytest.mark.parametrize("queries", [1, 2, 3, 4])
@pytest.mark.parametrize("given", [{}, {"temperature": 1.0}, {"mode": "offline", "gamma": 1.0}])
def test_more_than_half_of_the_queries_decide_each_pair(population, queries, given):
    a, draws = arrays(), np.random.default_rng(5)
    for name, signal in (("target_logits", (40, 4, 3)), ("refs_logits", (10, 40, 4, 3))):
        a[name] = (2 * draws.normal(size=signal)).astype(np.float32)
        phi = [[a[name][..., q, :]] for q in range(4)]
        a[name.replace("logits", "phi")] = np.stack(
            [logit_scaled_confidence(one[0], a["labels"]) for one in phi], axis=-1
        )
    held_out = [n for n in a if "held_out" in n and n.endswith("logits")]
    a |= {name: a[name][..., None, :] for name in held_out}
    given = given | {"population": population, "queries": queries}
    expected = slow(a | {name: a[name][..., 0, :] for name in held_out}, **given)
    assert run(a, pieces=3, **given) == pytest.approx(expected, abs=1e-12)


def test_queries_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match=r"queries is 2.* hold 1"):
        run(arrays(), queries=2)


def test_the_tuned_slope_is_the_one_of_the_largest_auc_among_the_references():
    """Each reference judged by the others, with one loop over members and others at each slope."""
    a = arrays(n=60, models=8)
    a["refs_logits"] = a["refs_logits"] + a["refs_in"][..., None] * np.eye(3)[a["labels"]] * 1.5
    a["refs_phi"] = logit_scaled_confidence(a["refs_logits"], a["labels"])[..., None]
    a["refs_out"] = ~a["refs_in"]
    for temperature in (1.0, 2.0):
        given = {"mode": "offline", "temperature": temperature}
        chosen = checked(given, DECLARED, "rmia")
        p = np.array([[slow_confidence(z[i], a["labels"][i], chosen) for i in range(60)]
                      for z in a["refs_logits"]])  # fmt: skip
        rank = classifiers.ranks(a["examples"], p[..., None])
        pairs = {"in": [], "out": []}
        for i in range(60):
            outs = np.flatnonzero(a["refs_out"][:, i])
            for m in range(8):
                kind = "out" if m in outs else "in"
                spared = m if m in outs else min(outs, key=lambda o, i=i: rank[o, i])
                pairs[kind].append((p[m, i], np.mean([p[o, i] for o in outs if o != spared])))
        fewest = min(map(len, pairs.values()))
        areas = []
        for slope in np.linspace(0, 1, 11):
            sides = [
                [own / (((1 + slope) * out + 1 - slope) / 2) for own, out in pairs[kind]]
                for kind in ("in", "out")
            ]
            areas.append(np.mean([[x > y for y in sides[1]] for x in sides[0]]))
        fit = fitted(rmia, [a], checked(given | {"tuned": True}, DECLARED, "rmia"))["fitted"]
        assert fit["a"] in np.linspace(0, 1, 11)
        assert max(areas) - areas[round(10 * fit["a"])] < 0.01  # of a sample: equally many of each
        assert fewest > 100
        expected = run(a, **given, a=fit["a"])
        assert run(a, pieces=4, **given, tuned=True) == pytest.approx(expected, abs=1e-12)


def test_the_log_ratio_orders_as_base_does():
    a = arrays(n=60)
    found = run(a, score="log_ratio")
    plain = base.score(a["refs_out"], a["refs_in"], target_logits=a["target_logits"],
                       refs_logits=a["refs_logits"], labels=a["labels"])  # fmt: skip
    assert np.array_equal(np.argsort(found), np.argsort(plain))
    assert np.ptp(found - plain) < 1e-12


def test_x_is_never_its_own_z():
    """With gamma ≤ 1 an example dominates itself: counted, all scores would be moved by it."""
    a = arrays(n=2)
    for gamma in (1.0, 0.9, 1.1):
        found = run(a, population="all", gamma=gamma, temperature=1.0)
        assert found == pytest.approx(slow(a, population="all", gamma=gamma, temperature=1.0))
        assert set(found) <= {0.0, 1.0}
    twins = {n: np.repeat(v[..., :1, :], 2, axis=-2) for n, v in a.items() if n.endswith("_phi")}
    masks = {n: np.repeat(a[n][:, :1], 2, axis=1) for n in ("refs_in", "refs_out")}
    found = run(a | twins | masks, population="all", gamma=1.0, temperature=1.0)
    assert found.tolist() == [1.0, 1.0]  # each dominates the other


def test_slices_may_come_in_any_order_of_examples():
    a = arrays()
    order = np.random.default_rng(9).permutation(40)
    mixed = {
        n: v if "held_out" in n else v[(*[slice(None)] * n.startswith("refs"), order)]
        for n, v in a.items()
    }
    for population in ("held_out", "all"):
        straight = run(a, population=population)
        assert np.array_equal(run(mixed, pieces=3, population=population), straight[order])


def test_needs_name_what_is_read():
    def needs(**given):
        return rmia.ATTACK.read(checked(given, DECLARED, "rmia"))

    assert {"target_logits", "refs_held_out_logits", "held_out_labels", "refs_in"} <= needs()
    plain = needs(temperature=1.0, mode="offline")
    assert not any("logits" in name or "labels" in name for name in plain)
    assert "refs_in" not in plain
    assert "examples" in needs(population="all")
    assert not any("held_out" in name for name in needs(population="all"))


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("gamma", 0, "positive"), ("gamma", -2.0, "positive"), ("a", 1.1, r"\[0, 1\]"),
        ("a", -0.1, r"\[0, 1\]"), ("temperature", 0.0, "positive"), ("order", 3, "2, 4, 6, 8"),
        ("population", "test", "held_out, all"), ("mode", "both", "online, offline"),
        ("statistic", "hinge", "softmax"), ("queries", 0, "positive"),
        ("trim", 0.6, r"\[0, 0.5\]"), ("score", "sum", "share, log_ratio"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused(name, value, complaint):
    with pytest.raises(ValueError, match=f"{name}.*{complaint}"):
        checked({name: value}, DECLARED, "rmia")


def test_answers_without_any_confidence_give_numbers():
    a = arrays()
    for name in ("target_phi", "refs_phi", "target_held_out_phi", "refs_held_out_phi"):
        a[name] = np.where(np.random.default_rng(8).random(a[name].shape) < 0.5, -2000.0, a[name])
    a["refs_phi"][:, :5] = a["target_phi"][:5] = a["target_phi"][5:9] = -2000.0
    a["refs_phi"][:, 9:12] = -2000.0
    for population in ("held_out", "all"):
        found = run(a, population=population, temperature=1.0)
        assert np.isfinite(found).all()
        assert (found >= 0).all()
        assert (found <= 1).all()


def test_the_polynomial_stays_positive_and_nears_the_exponential():
    z = np.linspace(-30, 30, 2001)
    for order in (2, 4, 6, 8):
        assert (likelihoods.exponential(z, order) > 0).all()
        expected = sum(z**i / factorial(i) for i in range(order + 1))
        assert likelihoods.exponential(z, order) == pytest.approx(expected, rel=1e-9)
    near = np.linspace(-1, 1, 21)
    assert likelihoods.exponential(near, 8) == pytest.approx(np.exp(near), rel=1e-5)


def test_a_margin_takes_from_the_true_class_alone():
    logits, labels = np.random.default_rng(7).normal(size=(20, 4)), np.arange(20) % 4
    shares = [likelihoods.taylor_soft_margin(logits, labels, 4, m) for m in (0.0, 0.6, 1.0)]
    moved = logits - 0.6 * (np.arange(4) == labels[:, None])
    assert shares[1] == pytest.approx(likelihoods.taylor_soft_margin(moved, labels, 4, 0.0))
    assert (shares[1] > 0).all()
    assert (shares[1] < 1).all()
