"""The ε that an attack's scores refute, in three ways, each with its confidence.

Whatever is chosen, thresholds and how many are guessed, is chosen on other models' scores.
"""

from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.special import bdtrc, expit

from miatlas.leakage.privacy import (
    SIDES,
    epsilon_by,
    epsilon_of_mu,
    epsilon_of_one_run,
    mu_at_least,
)
from miatlas.leakage.roc import Roc, outline, roc
from miatlas.leakage.thresholds import ONE_TARGET, rates

CONFIDENCE = 0.95
EACH = 1.0 - (1.0 - CONFIDENCE) / 2.0  # of each side
COUNTS = ("true_positives", "members", "false_positives", "nonmembers")
SHARES = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # of the examples, guessed at either end
GRID = np.linspace(0.0, 12.0, 241)  # of ε, to choose shares by
ALONE = (0.05, 0.05)  # guessed where there are no other models to choose on
NO_COINS = (
    "one run takes examples that are in or out by a coin each (designs half and canaries), and is"
    " asked about all of them, as students for their teachers' members are not"
)


class Game(NamedTuple):
    """A target's scores and members (n,): members among the k highest, others among the lowest."""

    scores: np.ndarray
    member: np.ndarray
    inside: np.ndarray  # (n + 1,), by k
    outside: np.ndarray  # (n + 1,), by k

    def guesses(self, shares: tuple[float, float]) -> tuple[int, int]:
        """Return how many are guessed, of both ends, and how many of the guesses are right."""
        most, least = (int(share * len(self.scores)) for share in shares)
        return most + least, int(self.inside[most] + self.outside[least])


def refuted(
    scores, member, evaluated, targets, delta: float, tossed: bool, others: dict | None = None
) -> dict:
    """Return what scores (T, N) refute: {"delta", "confidence", "rates", "gaussian", "one_run"}.

    `rates` and `gaussian` take points of the ROC curve: one where few but members are called so,
    one where few but non-members are, of which the one that says more counts, at half the chance to
    be wrong each. {epsilon, (mu,) sides: {members, others: {true_positives, members,
    false_positives, nonmembers, epsilon or mu}}}: each target is judged at the threshold that
    refutes most on the other targets, or on `others`, {scores, member, evaluated}, for a single
    one; counts of all targets add up. Answers about different examples are taken for independent,
    as are models. `one_run` does without that: {epsilon, targets: [{target, examples, guesses,
    right, epsilon}]}; `epsilon` is the largest of the targets', so that each of them has only its
    part of the chance to be wrong. How many are guessed, of the highest scores to be in, of the
    lowest to be out, is chosen on the others, too. `tossed`: whether every example is in a target's
    training set by a fair coin of its own. What is not told is None, and "not" says why.
    """
    games = [_game(*row) for row in zip(scores, member, evaluated, strict=True)]
    stand_ins = [_game(*row) for row in zip(*others.values(), strict=True)] if others else []
    beside = [games[:row] + games[row + 1 :] or stand_ins for row in range(len(games))]
    found = {"delta": delta, "confidence": CONFIDENCE, "rates": None, "gaussian": None}
    why = {} if beside[0] else {"rates": ONE_TARGET, "gaussian": ONE_TARGET}
    if beside[0]:
        counts = {side: _counted(games, beside, side, delta) for side in SIDES}
        found |= {"rates": _of_rates(counts, delta), "gaussian": _of_gaussian(counts, delta)}
    found["one_run"] = _of_runs(games, beside, targets, delta) if tossed else None
    return found | {"not": why if tossed else why | {"one_run": NO_COINS}}


def _game(scores, member, evaluated) -> "Game":
    """Return the evaluated scores of a target, with what is counted of them."""
    scores, member = scores[evaluated].astype(np.float64), member[evaluated].astype(bool)
    ranked = member[np.argsort(scores, kind="stable")[::-1]]
    inside, outside = (np.append(0, np.cumsum(kind)) for kind in (ranked, ~ranked[::-1]))
    return Game(scores, member, inside, outside)


def _counted(games, beside, side, delta) -> dict[str, int]:
    """Return true and false positives, members and non-members of all targets together."""
    total = np.zeros(4, np.int64)
    for game, others in zip(games, beside, strict=True):
        pool = roc(*(np.concatenate([one[part] for one in others]) for part in (0, 1)))
        curve = roc(game.scores, game.member)
        one = rates(curve, most_telling(pool, side, delta))
        total += one["true_positives"], curve.members, one["false_positives"], curve.nonmembers
    return dict(zip(COUNTS, total.tolist(), strict=True))


def most_telling(curve: Roc, side: str, delta: float) -> float:
    """Return the threshold of a curve at which one side refutes the largest ε."""
    points = outline(curve)
    hits, alarms = curve.true_positives[points], curve.false_positives[points]
    counts = hits, curve.members, alarms, curve.nonmembers
    return float(curve.thresholds[points[epsilon_by(side, *counts, delta, EACH).argmax()]])


def _of_rates(counts, delta):
    sides = {
        side: {**own, "epsilon": float(epsilon_by(side, *own.values(), delta, EACH))}
        for side, own in counts.items()
    }
    return {"epsilon": max(own["epsilon"] for own in sides.values()), "sides": sides}


def _of_gaussian(counts, delta):
    sides = {
        side: {**own, "mu": float(mu_at_least(*own.values(), EACH))} for side, own in counts.items()
    }
    mu = max(own["mu"] for own in sides.values())
    found = epsilon_of_mu(mu, delta)
    return {"mu": mu, "epsilon": found if np.isfinite(found) else None, "sides": sides}


def _of_runs(games, beside, targets, delta):
    """Return what single runs refute, jointly at the confidence."""
    level = 1.0 - (1.0 - CONFIDENCE) / len(games)
    rows = []
    for target, game, others in zip(targets, games, beside, strict=True):
        examples, (guesses, right) = len(game.scores), game.guesses(most_telling_shares(others))
        found = epsilon_of_one_run(examples, guesses, right, delta, level)
        counts = {"examples": examples, "guesses": guesses, "right": right}
        rows.append({"target": int(target), **counts, "epsilon": found})
    return {"epsilon": max(row["epsilon"] for row in rows), "targets": rows}


def most_telling_shares(others: list[Game]) -> tuple[float, float]:
    """Return the shares to guess that refute most on other models, δ aside.

    By the mean numbers of guesses and right ones; among shares that refute nothing, by how little
    they are chance.
    """
    if not others:
        return ALONE
    found = {}
    for shares in product(SHARES, SHARES):
        guesses, right = np.mean([game.guesses(shares) for game in others], axis=0)
        chances = bdtrc(np.floor(right) - 1.0, int(guesses), expit(GRID)) if right >= 1 else [1.0]
        found[shares] = int(np.sum(np.less(chances, 1.0 - CONFIDENCE))), -chances[0]
    return max(found, key=found.get)
