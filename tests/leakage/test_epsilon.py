"""The ε that scores refute: its parts against slow oracles, its confidence by simulation."""

from fractions import Fraction
from math import comb, exp

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

from miatlas.attacks import lira_online
from miatlas.audits.references import balanced
from miatlas.designs import half
from miatlas.designs.base import Draws
from miatlas.leakage import epsilon, privacy


def chance_by_sums(examples, guesses, right, share: Fraction, delta: Fraction):
    """The theorem's chance, term by term, in fractions."""
    mass = [comb(guesses, v) * share**v * (1 - share) ** (guesses - v) for v in range(guesses + 1)]
    tail = sum(mass[right:])
    rates = [sum(mass[right - i : right]) / i for i in range(1, right + 1)]
    return min(tail + 2 * examples * delta * max(rates, default=0), 1)


@pytest.mark.parametrize(
    ("examples", "guesses", "right"), [(10, 5, 4), (40, 40, 31), (100, 30, 30), (60, 20, 11)]
)
@pytest.mark.parametrize("odds", [1, 2, 9])
def test_the_chance_of_one_run_is_the_theorem_s(examples, guesses, right, odds):
    for delta in (Fraction(0), Fraction(1, 10**5), Fraction(1, 200)):
        wanted = chance_by_sums(examples, guesses, right, Fraction(odds, odds + 1), delta)
        found = privacy.one_run_chance(examples, guesses, right, np.log(odds), float(delta))
        assert found == pytest.approx(float(wanted), rel=1e-9)


def test_of_many_guesses_the_rate_is_still_the_largest_of_all():
    for guesses, right, e in ((5000, 2600, 0.0), (5000, 3000, 0.4), (3000, 2990, 5.0)):
        mass = stats.binom.pmf(np.arange(right), guesses, expit(e))
        rate = (np.cumsum(mass[::-1]) / np.arange(1, right + 1)).max()
        wanted = stats.binom.sf(right - 1, guesses, expit(e)) + 2 * 9000 * 1e-6 * rate
        found = privacy.one_run_chance(9000, guesses, right, e, 1e-6)
        assert found == pytest.approx(wanted, rel=1e-6)


def test_one_run_refutes_up_to_where_the_chance_reaches_the_level():
    for guesses, right in ((100, 80), (50, 50), (400, 220)):
        found = privacy.epsilon_of_one_run(1000, guesses, right, 1e-6, 0.9)
        chances = [
            privacy.one_run_chance(1000, guesses, right, found + d, 1e-6) for d in (-1e-6, 1e-6)
        ]
        assert found > 0
        assert chances[0] < 0.1 < chances[1]
    assert privacy.epsilon_of_one_run(1000, 100, 55) == 0
    assert privacy.epsilon_of_one_run(1000, 0, 0) == 0
    assert privacy.epsilon_of_one_run(1000, 200, 200, 0.0, 0.95) == pytest.approx(
        -np.log(0.05 ** (-1 / 200) - 1)
    )
    with pytest.raises(ValueError, match="3 of 2 guesses"):
        privacy.one_run_chance(10, 2, 3, 0.0)


@pytest.mark.parametrize("mu", [0.3, 1.0, 2.5])
def test_gaussian_privacy_s_delta_is_the_divergence_of_two_normals(mu):
    def beyond(x, e):
        return max(stats.norm.pdf(x, mu) - exp(e) * stats.norm.pdf(x), 0.0)

    for e in (0.0, 0.5, 3.0):
        cut = e / mu + mu / 2
        wanted = integrate.quad(beyond, -10, 15, args=(e,), points=[cut], limit=200)[0]
        assert privacy.delta_of_mu(mu, e) == pytest.approx(wanted, abs=1e-8)
    for delta in (1e-3, 1e-6):
        found = privacy.epsilon_of_mu(mu, delta)
        assert privacy.delta_of_mu(mu, found) == pytest.approx(delta, rel=1e-6)
    assert privacy.epsilon_of_mu(mu, 0.0) == np.inf
    assert privacy.epsilon_of_mu(0.0, 1e-5) == 0
    assert privacy.epsilon_of_mu(mu, 1.0) == 0


def test_mu_follows_from_clopper_pearson():
    high = stats.binomtest(3, 1000).proportion_ci(method="exact").high
    low = stats.binomtest(90, 500).proportion_ci(method="exact").low
    wanted = stats.norm.ppf(low) - stats.norm.ppf(high)
    assert privacy.mu_at_least(90, 500, 3, 1000) == pytest.approx(wanted)
    assert privacy.mu_at_least([0, 50, 100], 100, [0, 50, 100], 100).tolist() == [0, 0, 0]


def test_either_side_is_the_other_s_mirror():
    counts = (90, 500, 3, 1000)
    mirrored = (997, 1000, 410, 500)
    assert privacy.epsilon_by("others", *counts) == privacy.epsilon_by("members", *mirrored)
    both = [privacy.epsilon_by(side, *counts) for side in privacy.SIDES]
    assert privacy.epsilon_at_least(*counts) == max(both)


def coins(seed, targets=4, examples=200, group=8):
    return half.draw(np.arange(examples), range(targets), Draws(seed, "c", "p"), group=group).member


def of_noise(seed, member, shared=0.9):
    """Scores that know nothing of membership; an example's are alike under all targets."""
    draws = np.random.default_rng(seed)
    own = np.sqrt(shared) * draws.normal(size=member.shape[1])
    return own + np.sqrt(1 - shared) * draws.normal(size=member.shape)


def randomised_response(seed, member, e):
    """Scores of an ε-private answer about each example: right with chance e^ε / (1 + e^ε)."""
    draws = np.random.default_rng(seed)
    right = draws.random(member.shape) < expit(e)
    return (member == right) + 1e-3 * draws.random(member.shape)


def found(scores, member, tossed=True, others=None, delta=1e-5):
    every, targets = np.ones_like(member), np.arange(len(member))
    return epsilon.refuted(scores, member, every, targets, delta, tossed, others)


def refuted(make, draws, *more):
    rows = []
    for seed in range(draws):
        member = coins(seed)
        one = found(make(seed, member, *more), member)
        rows.append([one[kind]["epsilon"] for kind in ("rates", "gaussian", "one_run")])
    return np.array(rows)


def test_of_scores_that_know_nothing_no_epsilon_is_refuted():
    wrong = (refuted(of_noise, 120) > 0).sum(axis=0)
    assert (wrong <= stats.binom.ppf(0.999, 120, 0.05)).all()


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.99])
def test_of_many_draws_that_know_nothing_no_more_than_one_in_twenty(shared):
    wrong = (refuted(of_noise, 1500, shared) > 0).sum(axis=0)
    assert (wrong <= stats.binom.ppf(0.999, 1500, 0.05)).all()
    assert wrong[2] > 0  # so that the chance to be wrong is used


@pytest.mark.parametrize("e", [0.5, 2.0])
def test_private_answers_are_not_refuted_beyond_their_epsilon(e):
    rows = refuted(randomised_response, 100, e)[:, [0, 2]]
    assert ((rows > e).sum(axis=0) <= stats.binom.ppf(0.999, 100, 0.05)).all()
    assert (rows.mean(axis=0) > 0.45 * e).all()


def test_gaussian_answers_are_refuted_up_to_their_mu():
    mus = []
    for seed in range(40):
        member = coins(seed, examples=2000)
        scores = np.random.default_rng(seed).normal(size=member.shape) + 1.5 * member
        mus.append(found(scores, member)["gaussian"]["mu"])
    assert np.mean(np.array(mus) > 1.5) <= 0.05
    assert np.mean(mus) > 1.2


@pytest.mark.slow
def test_lira_on_models_that_learned_nothing_refutes_nothing():
    """Its references are models of the target's own group: who is in how many tells nothing."""
    wrong = 0
    for seed in range(200):
        member, targets = coins(seed, targets=8, examples=150), np.arange(4)
        phi = of_noise(seed, member, 0.5)[..., None]
        scores = []
        for t in targets:
            others = np.delete(np.arange(8), t)
            masks = balanced(member[others], None, seed)
            scores.append(lira_online.score(*masks, target_phi=phi[t], refs_phi=phi[others]))
        one = found(np.array(scores), member[:4])
        wrong += max(one[kind]["epsilon"] for kind in ("rates", "one_run")) > 0
    assert wrong <= stats.binom.ppf(0.999, 200, 0.1)


def test_leaking_scores_refute_much():
    member = coins(0, examples=2000)
    one = found(of_noise(0, member) + 3 * member, member)
    assert one["rates"]["epsilon"] > 4
    assert one["gaussian"]["mu"] > 2
    assert one["one_run"]["epsilon"] > 2
    counts = one["rates"]["sides"]["members"]
    assert counts["members"] == member.sum()
    assert counts["nonmembers"] == (~member).sum()


def test_nothing_is_chosen_on_the_target_itself():
    """With its own members told otherwise, a target is guessed about in the same numbers."""
    member = coins(3)
    scores = of_noise(3, member) + 2 * member
    changed = member.copy()
    changed[0] = ~changed[0]
    before, after = (found(scores, m)["one_run"]["targets"][0] for m in (member, changed))
    assert before["guesses"] == after["guesses"]
    assert before["right"] + after["right"] == before["guesses"]


def test_a_single_target_takes_what_stands_in_for_it_or_nothing():
    member = coins(1, targets=6, examples=600)
    scores = of_noise(1, member) + 3 * member
    others = {"scores": scores[1:], "member": member[1:], "evaluated": np.ones_like(member[1:])}
    with_others = found(scores[:1], member[:1], others=others)
    assert with_others["rates"]["epsilon"] > 1
    assert with_others["not"] == {}
    alone = found(scores[:1], member[:1])
    assert alone["rates"] is alone["gaussian"] is None
    assert "at least two are needed" in alone["not"]["rates"]
    [run] = alone["one_run"]["targets"]
    assert run["guesses"] == 60


def test_one_run_needs_coins():
    member = coins(0)
    one = found(of_noise(0, member), member, tossed=False)
    assert one["one_run"] is None
    assert "a coin each" in one["not"]["one_run"]
