"""Attacks on text against their formulas, and what each paper says that it is good for."""

import math

import numpy as np
import pytest

from miatlas.attacks import loss, min_k, min_k_plus_plus, zlib
from miatlas.leakage.roc import auc, roc
from miatlas.study import attack_modules, demands, releases


def tokens(n=40, length=11, seed=0):
    """Answers about tokens: log p, and mean and deviation of it under the model's law."""
    draws = np.random.default_rng(seed)
    sizes = (draws.normal(size=(n, length)) - 4, draws.normal(size=(n, length)) - 5,
             draws.uniform(0.5, 2, size=(n, length)))  # fmt: skip
    return np.stack(sizes, axis=-1).astype(np.float32)


def lowest(values, share):
    """Return the mean of the lowest values of a list."""
    count = max(1, round(share * len(values)))
    return sum(sorted(values)[:count]) / count


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2, 0.5, 1.0])
def test_the_least_likely_tokens_are_averaged_as_they_are_or_in_units_of_their_place(share):
    given = tokens()
    plain = [lowest([float(log_p) for log_p, _, _ in text], share) for text in given]
    scaled = [lowest([(p - m) / s for p, m, s in text.astype(float)], share) for text in given]
    assert min_k.score(given, share=share) == pytest.approx(plain)
    assert min_k_plus_plus.score(given, share=share) == pytest.approx(scaled)


def phi_of(log_p):
    """Return phi (N, 1) of the mean log-probability of the tokens (N, L)."""
    mean = log_p.astype(float).mean(axis=1)
    return (mean - np.log(-np.expm1(mean)))[:, None]


def test_of_all_tokens_min_k_is_the_loss_attack():
    given = tokens()
    found = min_k.score(given, share=1.0)
    assert found == pytest.approx(loss.score(phi_of(given[..., 0])))


def test_zlib_divides_the_loss_by_the_length():
    phi, lengths = np.random.default_rng(1).normal(size=(30, 2)), np.arange(30) + 20
    expected = [-math.log1p(math.exp(-a)) / b for (a, _), b in zip(phi, lengths, strict=True)]
    assert zlib.score(phi, lengths) == pytest.approx(expected)


def area(scores, member):
    return auc(roc(scores, member))["value"]


def test_min_k_finds_what_the_mean_of_all_tokens_hides():
    """Shi et al.: non-members have a few words that surprise; the rest is equally likely."""
    draws = np.random.default_rng(2)
    member = draws.random(4000) < 0.5
    easy = draws.random((4000, 40)) < draws.uniform(0.1, 0.7, size=(4000, 1))
    log_p = np.where(easy, -0.1, draws.normal(-3, 0.5, size=(4000, 40)))
    log_p[:, -4:] -= 2.0 * ~member[:, None]
    few, all_of_them = (area(min_k.score(log_p[..., None], share=s), member) for s in (0.1, 1.0))
    assert few > 0.9
    assert all_of_them < 0.7


def test_min_k_plus_plus_is_centred_and_scaled_by_what_the_model_expects():
    """Zhang et al.: under the model's own law the value has mean 0 and deviation 1, at any place.

    So places at which anything may follow count no less than those at which one word must: where
    members differ in units of their place alone, the plain probability is far behind.
    """
    draws = np.random.default_rng(3)
    law = np.log(draws.dirichlet(np.full(50, 0.3)))
    mean = np.exp(law) @ law
    deviation = np.sqrt(np.exp(law) @ (law - mean) ** 2)
    each = np.stack([law, np.full(50, mean), np.full(50, deviation)], axis=-1)[:, None]
    z = min_k_plus_plus.score(each)
    assert np.exp(law) @ z == pytest.approx(0, abs=1e-9)
    assert np.exp(law) @ z**2 == pytest.approx(1)
    member = draws.random(3000) < 0.5
    mu, sigma = -10 * draws.random((3000, 20)), draws.uniform(0.1, 2, (3000, 20))
    log_p = mu + sigma * (draws.normal(size=(3000, 20)) + 0.5 * member[:, None])
    given = np.stack([log_p, mu, sigma], axis=-1)
    assert area(min_k_plus_plus.score(given), member) > area(min_k.score(given), member) + 0.15


def test_a_law_of_equally_likely_words_gives_a_number():
    given = np.full((3, 5, 3), [-2.0, -2.0, 0.0], np.float32)
    assert min_k_plus_plus.score(given).tolist() == [0, 0, 0]


def test_zlib_does_not_take_what_repeats_itself_for_a_member():
    """Carlini et al.: trivial text is likely too, but compresses well."""
    draws = np.random.default_rng(4)
    member, lengths = draws.random(4000) < 0.5, draws.integers(20, 200, size=4000)
    mean_loss = lengths / 50 * np.exp(0.2 * draws.normal(size=4000) - 0.4 * member)
    phi = phi_of(-mean_loss[:, None])
    assert area(zlib.score(phi, lengths), member) > 0.85
    assert area(loss.score(phi), member) < 0.75


@pytest.mark.parametrize("name", ["min_k", "min_k_plus_plus", "zlib"])
def test_they_read_texts_alone_and_what_a_release_gives(name):
    attack = {"attack": name, "references": None, "options": {"share": 0.2}}
    sides = {side: {"kind": kind, "held_out": 0} for side, kind in
             (("target", "images"), ("shadow", "images"))}  # fmt: skip
    said = demands.complaint(attack, sides, same=False)
    assert said == " reads texts, and examples of the target cohort are images"
    for kind in ("text", None):  # None: only the file tells
        assert not demands.complaint(attack, {"target": {"kind": kind}, "shadow": {}}, same=False)
    released = releases.complaint(attack, {}, {"name": "confidences"})
    if name == "zlib":
        assert released is None
    else:
        assert released == (
            " reads tokens of the models, which the release 'confidences' does not give"
        )
        assert attack_modules.said(name).read() == {"target_tokens"}
