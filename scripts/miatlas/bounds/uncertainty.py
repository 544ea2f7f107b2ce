"""What a cohort's models tell of each example: its uncertainty, the limits, what attacks achieve.

zhu2025's theory, measured. For each example a Dirichlet law is fitted to the confidence vectors of
the models that trained on it and one to those of the models that did not; from the two follow the
factors A, Δ, E and the limits under each disclosure. No model is singled out as a target: every
quantity of a row is about the example. What fits make of noise is in the columns *_floor: the same
optimum between two random halves of the models, each with as many IN as OUT ones, whose laws are
equal. It is what "no advantage" looks like with so many models.

Where thresholds of decision sets are chosen for a coverage, each model answers by its own, and
ds_achieved is of these sets; the limits of ds and bit are of one threshold, the mean of the models'
own: nearly, not quite, what is attacked.
"""

import numpy as np
import pandas as pd

from miatlas.audits.references import priorities
from miatlas.bounds import advantage, conformal, disclosures, factors
from miatlas.bounds.dirichlet import fit, log_confidences, of_confidence, summarise
from miatlas.bounds.limits import NAMES
from miatlas.bounds.reliability import Reliability
from miatlas.designs.roles import HELD_OUT
from miatlas.running.seeds import rng
from miatlas.signals.statistics import logit_scaled_confidence

LEAST = 2  # models of a kind, to fit a law to
BYTES = 100  # held for each logit of a slice, copies included
ENOUGH = 1e-6  # error of a total variation


def measure(
    signals, *,
    threshold: float = 0.2, coverage: float | None = None, draws: int = 128, folds: int = 8,
    seed: int = 0, memory_mb: int = 512,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Return the bounds of a cohort, a row an example, and its reliability, a row a kind and bin.

    `signals`: an `answered.Signals`, read in slices that take about `memory_mb` MiB. By `coverage`
    the threshold of the decision sets is the mean of the models' own, by their held-out examples;
    `bounds_table` has the rest. Some columns are the cohort's: threshold, ece_in, ece_out (the
    mean of the models' expected calibration errors on members and on others), and <d>_mean_low and
    <d>_mean_high, the 95 % limits of the mean of <d>_achieved (`advantage.of_mean`).
    """
    models, examples = signals.shape
    classes = signals.dimensions("logits")[-1]
    step = max(1, memory_mb * 2**20 // (BYTES * models * classes))
    slices = [slice(start, min(start + step, examples)) for start in range(0, examples, step)]
    thresholds = np.full(models, threshold)
    if coverage is not None:
        thresholds = conformal_thresholds(signals, slices, coverage)
    reliability, tables, by_model = Reliability(models), [], {}
    for where in slices:
        logits = untouched(signals.read("logits", where))
        masks = signals.read("member", where), signals.read("evaluated", where)
        labels = signals.read("labels", where)
        reliability.add(logits, *masks, labels)
        indices = np.arange(where.start, where.stop)
        settings = {"thresholds": thresholds, "draws": draws, "folds": folds, "seed": seed}
        part, added = bounds_table(logits, *masks, labels, indices, **settings)
        tables.append(part)
        by_model = {name: by_model.get(name, 0.0) + sums for name, sums in added.items()}
    table = pd.concat([part for part in tables if len(part)] or tables[:1], ignore_index=True)
    errors = {f"ece_{kind}": reliability.error(kind) for kind in ("in", "out")}
    mean = round(float(thresholds.mean()), 12)  # of many times 0.2 it need not be 0.2
    spread = _spread(table, by_model)
    return table.assign(threshold=mean, **errors, **spread), reliability.table()


def _spread(table, by_model):
    """Return the limits of the means of what is achieved."""
    found = {}
    for name, sums in by_model.items():
        achieved = table[f"{name}_achieved"].dropna().to_numpy(np.float64)
        limits = advantage.of_mean(achieved, sums)
        found |= {f"{name}_mean_{side}": x for side, x in zip(("low", "high"), limits, strict=True)}
    return found


def untouched(logits: np.ndarray) -> np.ndarray:
    """Return query 0 of logits (M, n, C) or (M, n, Q, C)."""
    return logits if logits.ndim == 3 else logits[:, :, 0]


def conformal_thresholds(signals, slices, coverage: float) -> np.ndarray:
    """Return the models' conformal thresholds (M,) on the held-out examples."""
    held_out = signals.role == HELD_OUT
    if not held_out.any():
        raise ValueError(f"{signals.paths[0]}: has no held-out examples to choose a threshold by")
    parts = [untouched(signals.read("logits", where))[:, held_out[where]] for where in slices]
    log_p = log_confidences(np.concatenate(parts, axis=1))
    labels = signals.labels[held_out]
    return np.array([conformal.threshold(one, labels, coverage) for one in log_p])


def bounds_table(
    logits, member, evaluated, labels, examples, *,
    thresholds: np.ndarray, draws: int = 128, folds: int = 8, seed: int = 0,
) -> tuple[pd.DataFrame, dict]:  # fmt: skip
    """Return a row for each example of a slice that has two IN and two OUT models.

    And what each model adds to the sums over them of what is achieved: disclosure -> (M,).

    logits (M, n, C) of the untouched query; member, evaluated bool (M, n): a model is IN or OUT
    where it is evaluated, and nothing otherwise; labels (n,); examples (n,), their indices in the
    population, by which random numbers are drawn: the slices change nothing. `thresholds`: of the
    models' decision sets (M,). `draws`: of each law, for their limit. `folds`: of the
    cross-validation.

    Columns: example, label, models_in, models_out; converged, of both fits; aleatoric (A),
    calibration (Δ), epistemic (E, of the OUT fit), epistemic_in. For each disclosure cv, tlc, ds
    and bit (of the true label in the set): <d>_optimum, the largest advantage of all tests between
    the fitted laws, with its <d>_error; <d>_kl_in_out, _kl_out_in, _affinity; <d>_bound, the
    tightest on the advantage, and its <d>_bound_name. <d>_floor (cv, tlc): see above. <d>_achieved,
    _low, _high (cv, tlc, ds): of the likelihood-ratio test, by `advantage.by_cross_validation`.
    """
    inside, outside = member & evaluated, ~member & evaluated
    kept = np.minimum(inside.sum(axis=0), outside.sum(axis=0)) >= LEAST
    inside, outside = inside[:, kept], outside[:, kept]
    labels, examples, logits = labels[kept], examples[kept], logits[:, kept]
    log_p = log_confidences(logits)
    own = of_confidence(logit_scaled_confidence(logits, labels))
    facts, laws = _fitted(log_p, inside, outside, labels)
    threshold = float(thresholds.mean())
    limits = _limits(*laws, labels, threshold)
    generators = (rng(seed, "decision sets", example) for example in examples)
    limits["ds"] = disclosures.decision_set(*laws, threshold, generators, draws)
    floors = _floors(log_p, inside, outside, labels, examples, seed)
    achieved = advantage.by_cross_validation(
        log_p, own, inside, outside, thresholds[:, None], folds
    )
    by_model = {name: found.pop("by_model") for name, found in achieved.items()}
    columns = {"example": examples, "label": labels} | facts
    for name, limit in limits.items():
        found = _columns(limit) | floors.get(name, {}) | achieved.get(name, {})
        columns |= {f"{name}_{key}": column for key, column in found.items()}
    table = pd.DataFrame(columns)
    return table.astype({c: np.float32 for c in table.select_dtypes("float64")}), by_model


def _fitted(log_p, inside, outside, labels):
    """Return what the two fits say, and their parameters (alpha_in, alpha_out)."""
    fits = [fit(summarise(log_p, mask)) for mask in (inside, outside)]
    laws = tuple(one.alpha for one in fits)
    found = factors.factors(*laws, labels)
    columns = {
        "models_in": inside.sum(axis=0),
        "models_out": outside.sum(axis=0),
        "converged": fits[0].converged & fits[1].converged,
        **found._asdict(),
    }
    return columns, laws


def _limits(alpha_in, alpha_out, labels, threshold=None):
    """Return the limits that need no draws, by disclosure."""
    found = {
        "cv": disclosures.confidence_vector(alpha_in, alpha_out, ENOUGH),
        "tlc": disclosures.true_label_confidence(alpha_in, alpha_out, labels),
    }
    if threshold is not None:
        found["bit"] = disclosures.true_label_bit(alpha_in, alpha_out, labels, threshold)
    return found


def _floors(log_p, inside, outside, labels, examples, seed):
    """Return the optimum between two halves of the models whose laws are equal, by disclosure."""
    one = split(inside, examples, seed) | split(outside, examples, seed)
    other = (inside | outside) & ~one
    laws = [fit(summarise(log_p, mask)).alpha for mask in (one, other)]
    return {name: {"floor": limit.advantage} for name, limit in _limits(*laws, labels).items()}


def split(mask: np.ndarray, examples: np.ndarray, seed: int) -> np.ndarray:  # (M, n) -> (M, n)
    """Return a random half of each example's models in the mask, or the larger part of them."""
    if not len(examples):
        return mask
    first = int(examples.min())
    priority = priorities(np.arange(len(mask)), first, int(examples.max()) + 1, seed)
    masked = np.where(mask, priority[:, examples - first], np.uint64(2**64 - 1))
    ranks = np.argsort(np.argsort(masked, axis=0, kind="stable"), axis=0)
    return mask & (ranks % 2 == 0)


def _columns(limit):
    names = np.array(NAMES)[limit.name]
    return {
        "optimum": limit.advantage, "error": limit.error, **limit.divergences._asdict(),
        "bound": limit.bound, "bound_name": names,
    }  # fmt: skip
