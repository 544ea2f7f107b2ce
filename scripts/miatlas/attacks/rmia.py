"""RMIA (Zarifzadeh et al. 2024): the share of a population z that x dominates in likelihood."""

from typing import Annotated, Literal

import numpy as np

from miatlas.attacks.shared.gaussian import among
from miatlas.attacks.shared.likelihoods import of_true_label, untouched
from miatlas.audits.attack import Attack, Not, reads
from miatlas.options import between, positive

PHI = {"statistic": "softmax", "temperature": 1}  # is a function of phi, unlike any other
LOGITS = ({"statistic": Not("softmax")}, {"temperature": Not(1)})


def signals(population: str, phi: str, logits: str) -> list:
    """Return what is read of the signals for a kind of population: phi, or logits and labels."""
    others = [reads(*logits.split(), population=population, **when) for when in LOGITS]
    return [reads(*phi.split(), population=population, **PHI), *others]


ATTACK = Attack(
    title="RMIA",
    authors="Zarifzadeh et al.",
    year=2024,
    source="zarifzadeh2024",
    score=[
        reads("examples", population="all"),
        reads("refs_out", population="held_out"),
        reads("refs_in", population="held_out", mode="online"),
        *signals("held_out", "target_phi refs_phi", "target_logits refs_logits labels"),
    ],
    fit=[
        reads("examples", "refs_out", population="all"),
        reads("refs_in", population="all", mode="online"),
        *signals("all", "target_phi refs_phi", "target_logits refs_logits labels"),
        *signals(
            "held_out",
            "target_held_out_phi refs_held_out_phi",
            "target_held_out_logits refs_held_out_logits held_out_labels",
        ),
    ],
    hardness="example",
)

LEAST = np.finfo(np.float64).tiny  # of p(x), so that 0 / 0 is 0


def score(
    fitted, examples=None, refs_out=None, refs_in=None,
    target_phi=None, refs_phi=None, target_logits=None, refs_logits=None, labels=None,
    *,
    mode: Literal["online", "offline"] = "online",
    population: Literal["held_out", "all"] = "held_out",
    gamma: Annotated[float, positive] = 2.0,
    a: Annotated[float, between(0, 1)] = 0.3,
    statistic: Literal["softmax", "taylor_soft_margin"] = "softmax",
    temperature: Annotated[float, positive] = 2.0,
    order: Literal[2, 4, 6, 8] = 4,
    margin: float = 0.6,
) -> np.ndarray:  # fmt: skip
    """Return the share of z with LR(x) / LR(z) ≥ gamma, (N,); higher = member.

    LR = p(x | target) / p(x). z are the held-out examples (H,), on which no model trained, or all
    evaluated examples but x itself, told by its index in `examples` (N,). Sorted once, LR(z) need
    not be compared pair by pair. z is read by `fit`; with `population: all` x as well.

    `mode`: p(x) from IN and OUT references, or from OUT ones alone. `population`: which
    examples are z: the held-out ones, or `all` that count but x itself. `gamma`: how many times
    as likely as z x has to be. `a`: the slope of the offline mode's line from p_out to p(x).
    `statistic`: what p is made of: a softmax, or the soft margin of its Taylor polynomial.
    `temperature`: what logits are divided by. `order`: the polynomial's last power.
    `margin`: what is taken off the true label's logit, for the soft margin.
    """
    if population == "all":
        ratio = fitted["ratio"][examples]
        own = ratio <= ratio / gamma  # whether x's own entry is among those counted
        return (dominated(fitted["sorted"], ratio, gamma) - own) / (len(fitted["sorted"]) - 1)
    options = {"mode": mode, "a": a, "statistic": statistic, "temperature": temperature}
    options |= {"order": order, "margin": margin}
    target, refs = target_phi, refs_phi
    if reads_logits(options):
        target, refs = target_logits, refs_logits
    ratio = likelihood_ratio(target, refs, labels, refs_in, refs_out, options)
    return dominated(fitted["sorted"], ratio, gamma) / len(fitted["sorted"])


def dominated(population, ratio, gamma):  # (Z,) sorted, (N,) -> (N,) int
    """Return how many of the population have LR(z) ≤ LR(x) / gamma."""
    return np.searchsorted(population, ratio / gamma, side="right")


def likelihood_ratio(target, refs, labels, refs_in, refs_out, options) -> np.ndarray:
    """Return p(x | target) / p(x), (N,), of phi or logits of the target and of the references.

    p(x) is the mean over as many IN as OUT references; offline, (1 + a) / 2 p_out + (1 - a) / 2.
    On held-out examples there are no IN references (None), and p_in is taken to be p_out.
    """
    kind = "phi" if labels is None else "logits"
    target, refs = untouched(target, kind), untouched(refs, kind, models=True)
    p_target = of_true_label(target, labels, options)
    p_out = of_true_label(among(refs, refs_out), labels, options).mean(axis=0)
    if options["mode"] == "offline":
        p_x = ((1 + options["a"]) * p_out + (1 - options["a"])) / 2
    elif refs_in is None:
        p_x = p_out
    else:
        p_in = of_true_label(among(refs, refs_in), labels, options).mean(axis=0)
        p_x = (p_in + p_out) / 2
    return p_target / np.maximum(p_x, LEAST)


def fit(slices, **options) -> dict[str, np.ndarray]:
    """Return LR(z), sorted; of the population `all` also by example, NaN where there is no z.

    Everybody is compared with everybody, so both are kept whole, whatever the slices: 16 bytes an
    example, and 24 while they are made. In float32 an LR(z) could change sides of LR(x) / gamma.
    """
    kind = "logits" if reads_logits(options) else "phi"
    if options["population"] == "held_out":
        piece = next(iter(slices))  # the same in all of them
        refs = getattr(piece, f"refs_held_out_{kind}")
        outs, target = np.ones(refs.shape[:2], bool), getattr(piece, f"target_held_out_{kind}")
        labels = piece.held_out_labels if kind == "logits" else None
        return {"sorted": np.sort(likelihood_ratio(target, refs, labels, None, outs, options))}
    found = []
    for piece in slices:
        target, refs = getattr(piece, f"target_{kind}"), getattr(piece, f"refs_{kind}")
        labels = piece.labels if kind == "logits" else None
        ins = piece.refs_in if options["mode"] == "online" else None
        ratio = likelihood_ratio(target, refs, labels, ins, piece.refs_out, options)
        found.append((piece.examples, ratio))
    ratio = np.full(1 + max(examples.max() for examples, _ in found), np.nan)
    while found:  # each part is let go of as soon as it is in its place
        examples, part = found.pop()
        ratio[examples] = part
    population = ratio[~np.isnan(ratio)]
    population.sort()  # in its place
    return {"ratio": ratio, "sorted": population}


def reads_logits(options: dict) -> bool:
    """Say whether the confidences need logits; a softmax at temperature 1 is a function of phi."""
    return options["statistic"] != "softmax" or options["temperature"] != 1
