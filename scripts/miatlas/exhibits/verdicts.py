"""Whether a measured value agrees with a published one, and whether the two can be compared."""

import math

import numpy as np
from scipy.special import stdtrit

from miatlas.exhibits.evidence import CONFIDENCE, Estimate
from miatlas.exhibits.published import Printed

AGREES = "agrees"
DIFFERS = "differs"
NOT_COMPARABLE = "not comparable at this scale"
NOT_MEASURED = "not measured"
VERDICTS = (AGREES, DIFFERS, NOT_COMPARABLE, NOT_MEASURED)
WITHIN, HIGHER, LOWER = "within the intervals", "higher", "lower"
TIMES = ("minutes", "seconds")
ALIKE = 0.1  # sizes that differ by less than this share are the same scale
EPSILON = 1e-9  # of numbers whose decimal digits binary fractions miss


def verdict(published: Printed, measured: Estimate, reasons: list[str]) -> tuple[str, str]:
    """Return the verdict, and whether the measured value is within the intervals, higher or lower.

    Where there is a reason, it is "not comparable at this scale", even if the values agree.
    """
    if agree(published, measured):
        return (NOT_COMPARABLE if reasons else AGREES), WITHIN
    direction = HIGHER if measured.value > published.value else LOWER
    return (NOT_COMPARABLE if reasons else DIFFERS), direction


def agree(published: Printed, measured: Estimate) -> bool:
    """Return whether either value lies within the interval of the other.

    The published value, within its rounding, in the measured interval; or the measured value in the
    published one, which is the printed spread or, without any, the rounding. A measured value
    without an interval is a point.
    """
    low, high = (measured.value if math.isnan(x) else x for x in (measured.low, measured.high))
    rounding = published.rounding + EPSILON
    inside = low - rounding <= published.value <= high + rounding
    return inside or abs(measured.value - published.value) <= published.reach + EPSILON


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
    """Return whether two sizes are the same scale."""
    return abs(used - float(wanted)) <= ALIKE * float(wanted)


def _unlike(what, used, wanted):
    if not wanted or used is None or alike(used, wanted):
        return []
    what = what.removesuffix("s") if used == 1 else what
    return [f"{used:,} {what} instead of {int(wanted):,}"]


def mean(values) -> Estimate:
    """Return the mean of a number per model, such as an accuracy, with Student's t interval."""
    values = np.asarray(values, np.float64)
    n, value = len(values), float(values.mean())
    if n == 1:
        return Estimate(value, math.nan, math.nan)
    half = stdtrit(n - 1, (1 + CONFIDENCE) / 2) * values.std(ddof=1) / math.sqrt(n)
    return Estimate(value, value - half, value + half)
