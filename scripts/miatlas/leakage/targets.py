"""Numbers over several targets: their mean, and two intervals that speak of different things.

*These examples*: the examples are given, models are drawn: the spread over the targets says it all
(Student's t). *This population*: examples are drawn as well. Targets share examples, so that their
errors do not average out; the shared part is added (two-way clusters, targets x examples: Cameron,
Gelbach and Miller 2011). Owen's (2007) pigeonhole bootstrap draws from the same two lists, but
counts what targets and examples do together up to three times.
"""

import numpy as np
from scipy.special import expit, logit, ndtri

from miatlas.leakage.intervals import student

Limits = tuple[float, float]
ROUNDING = 1e-12  # the deviation of ten times 0.1 is not 0


def over_targets(
    values,
    influence,
    alone: list[Limits],
    *,
    summed=None,
    below=0.0,
    least=0.0,
    centres=None,
    tops=None,
    mutual=False,
) -> dict:
    """Return {mean, std, n, these_examples, this_population}, an interval {low, high} or None each.

    values (T,) of the targets, influence (T, N) of the examples on each, `alone` the intervals of
    single targets. A single target has neither interval (its own speaks of its examples); where
    targets do not differ at all, t says nothing and the widest of `alone` stands for both.

    summed: the interval of all targets' counts in one; both hold it, as few counts have no t.
    below: a reach that does not shrink with targets, of what noise adds to a maximum. least: the
    smallest possible value. centres, tops (T,): values without hindsight's bias, from below and
    from above; the limits for the population count from their means where these are further out
    than that of the values. mutual: the threshold of each target is the best of the others', so
    that their errors go together, on noise by up to 1 / T between two of them; both intervals are
    widened for that.
    """
    values = np.asarray(values, np.float64)
    n, mean = len(values), float(values.mean())
    result = {"mean": mean, "std": None, "n": n, "these_examples": None, "this_population": None}
    if n == 1:
        return result
    result["std"] = deviation = float(values.std(ddof=1))
    if deviation <= ROUNDING:
        own = limits(min(low for low, _ in alone), max(high for _, high in alone), least)
        return {**result, "these_examples": own, "this_population": own}
    summed = summed or (mean, mean)
    centres = values if centres is None else np.asarray(centres, np.float64)
    up, down = (reach((x - x.mean()) / n, influence / n) for x in (values, centres))
    wider = float(np.sqrt(2.0 - 1.0 / n)) if mutual else 1.0
    models = wider * student(deviation, n)
    low = min(float(centres.mean()), mean) - float(np.hypot(wider * down, below))
    high = max(float(np.mean(values if tops is None else tops)), mean) + wider * up
    intervals = {
        "these_examples": (mean - models, mean + models),
        "this_population": skewed(mean, low, high),
    }
    held = {
        k: limits(min(a, summed[0]), max(b, summed[1]), least) for k, (a, b) in intervals.items()
    }
    return {**result, **held}


def reach(totals: np.ndarray, influence: np.ndarray, level: float = 0.95) -> float:
    """Return the reach of an interval over targets and examples, both drawn.

    totals (T,): what each target adds to the estimate; influence (T, N): what each of its examples
    adds. Targets have Student's quantile for their few; what examples do in several targets alike
    is the mean over pairs of targets, at least 0, and is missing from the targets' deviation.
    """
    n = len(totals)
    of_targets = student(float(np.std(totals, ddof=1)) * n, n, level)
    pairs = (influence.sum(axis=0) ** 2).sum() - (influence**2).sum()
    shared = np.sqrt(max(float(pairs), 0.0) * n / (n - 1))
    return float(np.hypot(of_targets, -ndtri((1.0 - level) / 2.0) * shared))


def skewed(mean, low, high):
    """Return the limits, further out where they are so in the logit: near 0 and 1 rates are."""
    if not 0.0 < mean < 1.0:
        return low, high
    steepness = mean * (1.0 - mean)
    down, up = (float(expit(logit(mean) + (x - mean) / steepness)) for x in (low, high))
    return min(low, down), max(high, up)


def limits(low: float, high: float, least: float = 0.0) -> dict:
    """Return an interval, cut to what is possible: [least, 1]."""
    return {"low": min(max(low, least), 1.0), "high": min(max(high, least), 1.0)}
