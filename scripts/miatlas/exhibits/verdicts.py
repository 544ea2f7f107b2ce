"""Whether a measured value agrees with a published one, and whether the two can be compared.

The published value has chance in it, too: it is the mean of a few runs, as the measured one is. Two
means of n and m runs on the same examples, with deviation s, differ by s sqrt(1/n + 1/m) times
Student's t.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from miatlas.exhibits.evidence import CONFIDENCE, Estimate
from miatlas.exhibits.published import RANGE, Printed, ends
from miatlas.leakage.intervals import student
from miatlas.leakage.targets import ROUNDING, limits, skewed

AGREES = "agrees"
DIFFERS = "differs"
UNDECIDED = "undecided"
CHOSEN = "chosen to be met"
NOT_COMPARABLE = "not comparable at this scale"
NOT_MEASURED = "not measured"
VERDICTS = (AGREES, DIFFERS, UNDECIDED, CHOSEN, NOT_COMPARABLE, NOT_MEASURED)
WITHIN, HIGHER, LOWER = "within the intervals", "higher", "lower"
TWO_SIDED, ONE_SIDED, UNKNOWN = "two-sided", "one-sided", "unknown"
TIMES = ("minutes", "seconds")
ALIKE = 0.1  # sizes that differ by less than this share are the same scale
EPSILON = 1e-9  # of numbers whose decimal digits binary fractions miss


class Chance(NamedTuple):
    """How far a published value may lie below and above the measured one by chance alone.

    known: TWO_SIDED, ONE_SIDED (of one value alone) or UNKNOWN.
    """

    below: float
    above: float
    known: str


def verdict(
    published: Printed, measured: Estimate, reasons: list[str], chosen: bool = False
) -> tuple[str, str, str]:
    """Return the verdict; "within the intervals", "higher" or "lower"; and what chance is known.

    A value that hyperparameters were `chosen` to meet is no agreement. Where there is a reason, it
    is "not comparable at this scale", even if the values agree.
    """
    by_chance = chance(published, measured)
    found = direction(published, measured, by_chance)
    if chosen:
        return CHOSEN, found, by_chance.known
    if reasons:
        return NOT_COMPARABLE, found, by_chance.known
    return _decided(published, measured, by_chance, found), found, by_chance.known


def _decided(published, measured, by_chance, found):
    if by_chance.known == UNKNOWN:
        return UNDECIDED
    if found == WITHIN:
        return AGREES
    one_model = measured.n == 1 and math.isnan(published.spread)  # nobody knows how models vary
    return UNDECIDED if one_model else DIFFERS


def direction(published: Printed, measured: Estimate, by_chance: Chance) -> str:
    """Return where the measured value lies, beyond chance and the rounding of the published one."""
    if published.value == measured.value:  # both may be infinite
        return WITHIN
    apart, rounding = published.value - measured.value, published.rounding + EPSILON
    if -by_chance.below - rounding <= apart <= by_chance.above + rounding:
        return WITHIN
    return LOWER if apart > 0 else HIGHER


def chance(published: Printed, measured: Estimate) -> Chance:
    """Return the reach of chance: that of the difference, and at least the measured interval."""
    value, low, high = measured.value, measured.low, measured.high
    below, above = (0.0 if math.isnan(x) else x for x in (value - low, high - value))
    error, freedom = standard_error(published, measured)
    if math.isnan(error):
        return Chance(below, above, UNKNOWN if math.isnan(low) else ONE_SIDED)
    reach = stdtrit(freedom, (1 + CONFIDENCE) / 2) * error
    sides = [not math.isnan(measured.std), not math.isnan(published.spread)]
    counted = measured.n > 0 and published.runs > 0
    known = TWO_SIDED if all(sides) or counted else ONE_SIDED
    return Chance(max(below, reach), max(above, reach), known)


def standard_error(published: Printed, measured: Estimate) -> tuple[float, float]:
    """Return the standard error of the difference and its degrees of freedom, nan without any.

    Runs of one law on both sides have one deviation: pooled, or that of the side which has one. A
    published value with neither a spread nor a number of runs is taken as certain; one with a
    spread of nobody knows how many runs as a single run, of the larger deviation.
    """
    std, spread, n, runs = measured.std, published.spread, max(measured.n, 1), published.runs
    if math.isnan(spread):
        return std * math.sqrt(1 / n + (1 / runs if runs else 0.0)), max(n - 1, 1)
    if math.isnan(std):
        return spread * math.sqrt(1 / n + 1 / max(runs, 1)), runs - 1 if runs > 1 else math.inf
    if runs < 2:
        return max(std, spread) * math.sqrt(1 / n + 1), n - 1
    freedom = n + runs - 2
    pooled = math.sqrt(((n - 1) * std**2 + (runs - 1) * spread**2) / freedom)
    return pooled * math.sqrt(1 / n + 1 / runs), freedom


def differences(line: dict, scale: dict, models: int, measured: Estimate) -> list[str]:
    """Return what makes a published line another experiment than the one that was measured.

    scale: training_examples, population (how many examples its data has), architecture of the
    target cohort (vgg16_dense is a vgg16) and, where it is known, the source of its data; models:
    the auxiliary models used; what is not known on either side is not compared. Times are always
    another machine's. An FPR below the resolution is a difference unless the training sets are
    alike: then the paper, too, read its TPR there.
    """
    found = []
    for key, name in (("dataset", "source"), ("architecture", "architecture")):
        there = scale.get(name)
        if line[key] and there and there != line[key] and not there.startswith(f"{line[key]}_"):
            found.append(f"{there} instead of {line[key]}")
    size, wanted = scale.get("training_examples"), line["training_examples"]
    found += _unlike("training examples", size, wanted)
    found += _unlike("examples in the population", scale.get("population"), line["population"])
    found += _unlike("auxiliary models", models, line["models"])
    found += ["another machine"] if line["unit"] in TIMES else []
    if measured.below_resolution and not (wanted and size and alike(size, wanted)):
        found.append("too few non-members for this FPR: TPR at no false positive")
    return found


def alike(used: int, wanted: str) -> bool:
    """Return whether two sizes are the same scale: of a range, any size within is the paper's."""
    low, high = ends(wanted)
    return low - ALIKE * low <= used <= high + ALIKE * high


def _unlike(what, used, wanted):
    if not wanted or used is None or alike(used, wanted):
        return []
    what = what.removesuffix("s") if used == 1 else what
    wanted = RANGE.join(f"{int(end):,}" for end in wanted.split(RANGE))
    return [f"{used:,} {what} instead of {wanted}"]


def mean(values, least: float = 0.0) -> Estimate:
    """Return the mean of a share per model, such as an accuracy, with its interval over models.

    That of Student's t, as far out as it is in the logit (shares near 1 are skewed), cut to what is
    possible: [0, 1]; of differences of shares (`least` -1) Student's own, in [-1, 1]. By simulation
    93 % at least are covered, unless a few models are far worse than all others. There is none
    where models do not differ, which tells nothing of those not seen.
    """
    values = np.asarray(values, np.float64)
    n, value = len(values), float(values.mean())
    std = float(values.std(ddof=1)) if n > 1 else math.nan
    if not std > ROUNDING:
        return Estimate(value, math.nan, math.nan, std=std, n=n)
    half = student(std, n, CONFIDENCE)
    low, high = value - half, value + half
    if least == 0.0:
        low, high = skewed(value, low, high)
    return Estimate(value, **limits(low, high, least), std=std, n=n)
