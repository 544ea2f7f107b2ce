"""RMIA (Zarifzadeh et al. 2024): the share of a population z that x dominates in likelihood."""

from typing import Annotated, Literal

import numpy as np

from miatlas.attacks.shared import reference_ratio as lr
from miatlas.audits.attack import Attack, Not, reads
from miatlas.options import between, positive

PHI = {"statistic": "softmax", "temperature": 1}  # is a function of phi, unlike any other
LOGITS = ({"statistic": Not("softmax")}, {"temperature": Not(1)})
TUNED = {"mode": "offline", "tuned": True}


def signals(phi: str, logits: str, **when) -> list:
    """Return what is read of the signals under a condition: phi, or logits and labels."""
    others = [reads(*logits.split(), **when, **each) for each in LOGITS]
    return [reads(*phi.split(), **when, **PHI), *others]


ABOUT_X = "target_phi refs_phi", "target_logits refs_logits labels"
ATTACK = Attack(
    title="RMIA",
    authors="Zarifzadeh et al.",
    year=2024,
    source="zarifzadeh2024",
    score=[
        reads("examples", population="all"),
        reads("refs_out", population="held_out"),
        reads("refs_in", population="held_out", mode="online"),
        *signals(*ABOUT_X, population="held_out"),
    ],
    fit=[
        reads("examples", "refs_out", population="all"),
        reads("refs_in", population="all", mode="online"),
        reads("examples", "refs_in", "refs_out", **TUNED),
        *signals(*ABOUT_X, population="all"),
        *signals("refs_phi", "refs_logits labels", **TUNED),
        *signals(
            "target_held_out_phi refs_held_out_phi",
            "target_held_out_logits refs_held_out_logits held_out_labels",
            population="held_out",
        ),
    ],
    hardness="example",
)


def score(
    fitted, examples=None, refs_out=None, refs_in=None,
    target_phi=None, refs_phi=None, target_logits=None, refs_logits=None, labels=None,
    *,
    mode: Literal["online", "offline"] = "online",
    population: Literal["held_out", "all"] = "held_out",
    score: Literal["share", "log_ratio"] = "share",
    gamma: Annotated[float, positive] = 2.0,
    a: Annotated[float, between(0, 1)] = 0.3,
    tuned: bool = False,
    queries: Annotated[int, positive] = 1,
    trim: Annotated[float, between(0, 0.5)] = 0.0,
    statistic: Literal["softmax", "taylor_soft_margin"] = "softmax",
    temperature: Annotated[float, positive] = 2.0,
    order: Literal[2, 4, 6, 8] = 4,
    margin: float = 0.6,
) -> np.ndarray:  # fmt: skip
    """Return the share of z with LR(x) / LR(z) ≥ gamma, (N,); higher = member.

    LR = p(x | target) / p(x). z are the held-out examples (H,), on which no model trained, or all
    evaluated examples but x itself, told by its index in `examples` (N,). Sorted once, LR(z) need
    not be compared pair by pair. Of several queries of x more than half must be so against the same
    untouched z: the least LR(x) of their larger half decides. z is read by `fit`; with
    `population: all` x as well. The score `log_ratio` is the mean of log LR(x) / LR(z) over z
    (InfoRMIA, Tao and Shokri 2026), which orders a target's examples as `base` does.

    A model that is sure of nearly everything needs a smaller gamma than the published 2: no LR can
    then be twice another. On the digits of the demo nine of ten examples have the same share, that
    of the z which the target gets wrong, 0.6 to 2.2 % of 180 by target; a threshold of 1 % false
    positives on the others lets none pass under nine targets, and 91 % of the non-members under
    one. At gamma = 1, with all other examples as z, it names 7.1 % of the members at 1.0 %
    (27 November), as many as `base`.

    `mode`: p(x) from IN and OUT references, or from OUT ones alone. `population`: which
    examples are z: the held-out ones, or `all` that count but x itself. `score`: the share of z, or
    the mean log-ratio. `gamma`: how many times as likely as z x has to be. `a`: the slope of the
    offline mode's line from p_out to p(x). `tuned`: whether a is, in place of the one given, that
    of 0, 0.1, ... 1 which tells the members of the references best, each in the target's place.
    `queries`: how many queries of x, from the
    first on, vote. `trim`: the share of references at either end that their means leave out; at
    0.5 they are medians. `statistic`: what p is made of: a softmax, or the soft margin of its
    Taylor polynomial. `temperature`: what logits are divided by. `order`: the polynomial's last
    power. `margin`: what is taken off the true label's logit, for the soft margin.
    """
    if population == "all":
        return RULES[score](fitted["ratio"][examples], fitted, gamma, fitted["own"][examples])
    options = {"queries": queries, "trim": trim, "statistic": statistic, "order": order}
    options |= {"temperature": temperature, "margin": margin}
    target, refs = target_phi, refs_phi
    if lr.reads_logits(options):
        target, refs = target_logits, refs_logits
    p_target, p_refs = lr.confidences(target, refs, labels, refs_in, refs_out, options)
    return RULES[score](lr.majority(lr.ratio(p_target, p_refs, fitted["a"])), fitted, gamma)


def share(ratio, fitted, gamma, own=None) -> np.ndarray:  # (N,) -> (N,)
    """Return the share of z with LR(z) ≤ LR(x) / gamma; `own` (N,): LR(x) where x is among z."""
    dominated = np.searchsorted(fitted["sorted"], ratio / gamma, side="right")
    if own is None:
        return dominated / len(fitted["sorted"])
    return (dominated - (own <= ratio / gamma)) / (len(fitted["sorted"]) - 1)


def log_ratio(ratio, fitted, gamma, own=None) -> np.ndarray:
    """Return the mean of log LR(x) - log LR(z) over z, without x itself; gamma plays no part."""
    logs, count = fitted["logs"], len(fitted["sorted"])
    if own is not None:
        logs, count = logs - np.log(np.maximum(own, lr.LEAST)), count - 1
    return np.log(np.maximum(ratio, lr.LEAST)) - logs / count


RULES = {"share": share, "log_ratio": log_ratio}


def fit(slices, **options) -> dict:
    """Return a, LR(z), sorted, and the sum of their logarithms; of `all` also LR by example.

    Everybody is compared with everybody, so all is kept, whatever the slices: 16 bytes an example,
    and 24 while they are made; 8 more for each query, and twice as many where a is tuned. In
    float32 an LR(z) could change sides of LR(x) / gamma. Of an example that is not among the
    population LR is NaN.
    """
    slope, found = lr.Slope(options), []
    for piece in slices:
        slope.learn(piece)
        if options["population"] == "all":
            p = confidences(piece, options)
            kept = np.stack(p) if slope.wanted else lr.ratio(*p, slope.given)
            found.append((piece.examples, kept))
    a = slope.result()
    if not found:  # what is answered about held-out examples is the same in all pieces
        return {"a": a} | population(lr.ratio(*of_held_out(piece, options), a)[:, 0])
    ratios = by_example(found)
    ratios = lr.ratio(*ratios, a) if slope.wanted else ratios
    z = ratios[:, 0]
    return {"a": a, "ratio": lr.majority(ratios), "own": z} | population(z[~np.isnan(z)])


def population(ratios: np.ndarray) -> dict:
    """Return LR(z), sorted in their place, and the sum of their logarithms."""
    ratios.sort()
    logs = np.maximum(ratios, lr.LEAST)
    return {"sorted": ratios, "logs": np.log(logs, out=logs).sum()}


def by_example(found: list) -> np.ndarray:
    """Return values (..., E, Q) whose place is the example's index, NaN where there is none.

    found: (indices (n,), values (..., n, Q)) of every slice; each is let go of once it is in place.
    """
    last = max(examples.max() for examples, _ in found)
    shape = found[0][1].shape
    placed = np.full((*shape[:-2], 1 + last, shape[-1]), np.nan)
    while found:
        examples, values = found.pop()
        placed[..., examples, :] = values
    return placed


def confidences(piece, options) -> tuple[np.ndarray, np.ndarray]:
    """Return p of a slice's examples under the target, and the mean of the references, (n, Q)."""
    kind, labels = ("logits", piece.labels) if lr.reads_logits(options) else ("phi", None)
    target, refs = getattr(piece, f"target_{kind}"), getattr(piece, f"refs_{kind}")
    ins = piece.refs_in if options["mode"] == "online" else None
    return lr.confidences(target, refs, labels, ins, piece.refs_out, options)


def of_held_out(piece, options) -> tuple[np.ndarray, np.ndarray]:
    """Return the same of the held-out examples, untouched, (H, 1): all references are OUT of them.

    So online p_in is taken to be p_out.
    """
    logits = lr.reads_logits(options)
    kind, labels = ("logits", piece.held_out_labels) if logits else ("phi", None)
    refs = getattr(piece, f"refs_held_out_{kind}")
    outs, target = np.ones(refs.shape[:2], bool), getattr(piece, f"target_held_out_{kind}")
    return lr.confidences(target, refs, labels, None, outs, options | {"queries": 1})
