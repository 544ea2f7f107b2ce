"""Moderated LiRA against LiRA at both ends of its prior, simulated priors, and slow versions."""

import time
from pathlib import Path

import numpy as np
import pytest
from fits import fitted, run
from scipy.special import digamma, polygamma
from scipy.stats import norm
from scipy.stats import t as student

from miatlas import options
from miatlas.attacks import lira_online, moderated_lira
from miatlas.attacks.shared import moderation
from miatlas.audits import audit as audits
from miatlas.audits import scoring
from miatlas.leakage.roc import auc, roc
from miatlas.running.store import by_slices, write_h5
from miatlas.signals.answers import Signals
from miatlas.study.checking import checked


def simulated(n=400, k=4, queries=2, d0=6.0, s0=1.5, distance=1.0, seed=0):
    """Variances of a scaled inverse χ² of d0; k IN and k OUT references, two that are neither."""
    draws, models = np.random.default_rng(seed), 2 * k + 2
    sigma = s0 * np.sqrt(d0 / draws.chisquare(d0, size=(n, queries))) if d0 < np.inf else s0
    ranks = np.argsort(np.argsort(draws.random((models, n)), axis=0), axis=0)
    member = draws.random(n) < 0.5
    refs_in, refs_out = ranks < k, ranks >= models - k
    phi = 3 * draws.normal(size=(n, 1)) + sigma * draws.normal(size=(models + 1, n, queries))
    phi += distance * np.vstack([refs_in, member])[..., None]
    return {
        "target_phi": phi[-1], "refs_phi": phi[:-1], "refs_in": refs_in, "refs_out": refs_out,
    }, member  # fmt: skip


@pytest.mark.parametrize("statistic", ["logit", "loss", "confidence"])
@pytest.mark.parametrize("k", [2, 3, 16])
def test_without_a_prior_it_is_lira_per_example_and_with_nothing_else_the_global_one(k, statistic):
    a, _ = simulated(k=k)
    for freedom, variance in ((0.0, "per_example"), ("infinite", "global")):
        given = {"law": "normal", "prior_freedom": freedom, "statistic": statistic}
        expected = run(lira_online, a, variance=variance, statistic=statistic)
        found = run(moderated_lira, a, pieces=3, **given)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def prior(a):
    given = checked({}, options.declared(Path(moderated_lira.__file__), "score"), "test")
    return fitted(moderated_lira, [a], given)["fitted"]


@pytest.mark.parametrize(
    ("k", "d0"), [(2, 3.0), (2, 8.0), (4, 3.0), (4, 8.0), (4, 25.0), (16, 3.0), (16, 25.0)]
)
def test_a_simulated_prior_is_found_again(k, d0):
    """Within four standard errors of the mean of twenty fits, to one of 20,000 examples each."""
    found = np.array([
        [(d, s) for side in prior(simulated(20_000, k, 1, d0, seed=seed)[0]).values()
         for d, s in [(side[0][0], side[1][0])]]
        for seed in range(10)
    ]).reshape(-1, 2)  # fmt: skip
    for values, truth in ((found[:, 0], d0), (found[:, 1], 1.5**2)):
        logs = np.log(values)
        assert np.isfinite(logs).all()
        assert abs(logs.mean() - np.log(truth)) < 4 * logs.std(ddof=1) / np.sqrt(20) + 0.01
        assert logs.std(ddof=1) < 0.35


def test_where_all_variances_are_one_the_prior_is_nearly_all_there_is():
    a, _ = simulated(20_000, k=4, d0=np.inf, queries=3)
    for d0, s0 in prior(a).values():
        assert (d0 > 50).all()
        assert s0 == pytest.approx(1.5**2, rel=0.03)


def test_the_equations_of_smyth_hold_at_what_is_fitted():
    a, _ = simulated(3000, k=5, queries=2)
    for kind, (d0, s0) in prior(a).items():
        values = np.stack([a["refs_phi"][a[f"refs_{kind}"][:, i], i] for i in range(3000)])
        logs = np.log(values.var(axis=1, ddof=1))
        mean = np.log(s0) + digamma(2) - np.log(2) - digamma(d0 / 2) + np.log(d0 / 2)
        assert logs.mean(axis=0) == pytest.approx(mean, abs=1e-9)
        spread = polygamma(1, 2) + polygamma(1, d0 / 2)
        assert logs.var(axis=0, ddof=1) == pytest.approx(spread, rel=1e-9)


@pytest.mark.parametrize("law", ["student", "normal"])
def test_a_score_is_the_sum_of_log_ratios_written_out(law):
    a, _ = simulated(n=50, k=3)
    found, priors = run(moderated_lira, a, law=law), prior(a)
    degrees = np.concatenate([d0 for d0, _ in priors.values()])
    assert np.isinf(degrees).any()
    assert np.isfinite(degrees).any()
    for i in range(50):
        expected = 0.0
        for q in range(2):
            logs = {}
            for kind, (d0, s0) in priors.items():
                values = a["refs_phi"][a[f"refs_{kind}"][:, i], i, q]
                shrunk = (d0[q] * s0[q] + 2 * values.var(ddof=1)) / (d0[q] + 2)
                s2 = s0[q] if d0[q] == np.inf else shrunk  # variances that differ by chance alone
                normal = norm(values.mean(), np.sqrt(s2))
                heavy = student(d0[q] + 2, values.mean(), np.sqrt(s2 * 4 / 3))
                logs[kind] = (normal if law == "normal" else heavy).logpdf(a["target_phi"][i, q])
            expected += logs["in"] - logs["out"]
        assert found[i] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_students_law_is_scipys_and_with_infinite_freedom_the_normal():
    x = np.linspace(-50, 50, 41)[:, None]
    freedom = np.array([0.5, 2.0, 1e3, 1e7, np.inf])
    found = moderation.log_student(x, 0.3, 1.7, freedom)
    for q, d in enumerate(freedom):
        law = norm(0.3, 1.7) if d == np.inf else student(d, 0.3, 1.7)
        assert found[:, q] == pytest.approx(law.logpdf(x[:, 0]), rel=1e-6)
    alone = moderation.log_student(x, 0.3, 1.7, freedom[-1:])
    assert np.array_equal(alone[:, 0], found[:, -1])


def test_with_few_references_it_is_better_than_either_variance_where_variances_differ():
    """The claim: between one variance for all and one each lies what few references can tell."""
    a, member = simulated(60_000, k=3, queries=1, d0=4.0, distance=2.0, seed=3)
    areas = [auc(roc(run(lira_online, a, variance=v), member)) for v in ("per_example", "global")]
    own = auc(roc(run(moderated_lira, a), member))
    assert own["low"] > max(area["value"] for area in areas)


def test_references_that_agree_to_the_last_bit_do_not_decide_the_prior():
    a, _ = simulated(n=3000)
    before = prior(a)
    a["refs_phi"][:, :200] = 40.0
    a["target_phi"][:100] = 40.0
    for kind, (d0, s0) in prior(a).items():
        assert d0 == pytest.approx(before[kind][0], rel=0.3)
        assert s0 == pytest.approx(before[kind][1], rel=0.2)
    found = run(moderated_lira, a)
    assert np.isfinite(found).all()
    assert np.isfinite(
        run(moderated_lira, a | {"refs_phi": np.full_like(a["refs_phi"], 3.0)})
    ).all()


def test_a_single_reference_of_a_kind_is_refused():
    with pytest.raises(ValueError, match="needs 2 references of a kind, there is 1"):
        run(moderated_lira, simulated(k=1)[0])


@pytest.mark.slow
def test_it_takes_at_most_half_as_long_again_as_lira_per_example(tmp_path):
    """On a file, in one process, in turns; the smallest time of each."""
    draws, shape = np.random.default_rng(0), (64, 20_000)
    member = np.argsort(np.argsort(draws.random(shape), axis=0), axis=0) < 32
    phi = draws.normal(size=(*shape, 2)).astype(np.float32)
    arrays = {"member": member, "labels": np.zeros(shape[1], int), "phi": phi}
    write_h5(tmp_path / "s.h5", arrays, {}, by_slices(arrays))
    times = {moderated_lira: [], lira_online: []}
    for _ in range(5):
        for attack, taken in times.items():
            chosen = checked({}, options.declared(Path(attack.__file__), "score"), "test")
            signals, keys = Signals([tmp_path / "s.h5"]), {"targets": 10, "seed": 0, "group": 64}
            audit = audits.audit(signals, signals, design="half", **keys)
            start = time.process_time()
            scoring.score(attack, chosen, audit, 512)
            taken.append(time.process_time() - start)
    assert min(times[moderated_lira]) < 1.5 * min(times[lira_online])
