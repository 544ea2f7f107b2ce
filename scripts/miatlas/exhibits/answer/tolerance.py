"""Whether what was found is within what its owner tolerates, or cannot be told.

The tolerance is a TPR at an FPR: "at most 1 % of the members may be named at one false accusation
in 1,000". The interval of the transferred TPR decides, at the confidence that was asked for.
"""

from dataclasses import dataclass

from miatlas.exhibits.answer.findings import Finding
from miatlas.leakage.intervals import clopper_pearson

WITHIN, BEYOND, UNDECIDED = "within", "beyond", "cannot tell"


@dataclass(frozen=True)
class Verdict:
    """WITHIN, BEYOND or UNDECIDED, and the reason in a sentence."""

    word: str
    reason: str


def judge(found: Finding, tolerance: dict, nonmembers: int) -> Verdict:
    """Return the verdict on the strongest attack; tolerance {level, tpr, confidence}.

    `nonmembers`: those that the threshold rests on. Too few of them to allow a single false
    accusation at the level cannot tell that the level is kept, whatever the TPR.
    """
    low, high = interval(found, tolerance["confidence"])
    share, level = f"{100 * found.tpr.value:.3g} %", f"{100 * tolerance['level']:g} %"
    said = f"{found.shown}: {share} of the members [{100 * low:.3g}, {100 * high:.3g}]"
    asked = f"tolerated are {100 * tolerance['tpr']:g} % at an FPR of {level}"
    if nonmembers * tolerance["level"] < 1.0:
        needed = -(-1 // tolerance["level"])
        return Verdict(
            UNDECIDED,
            f"{nonmembers:,} non-members resolve no FPR of {level}; at least {needed:,.0f} would",
        )
    if low > tolerance["tpr"]:
        return Verdict(BEYOND, f"{said}; {asked}")
    if high <= tolerance["tpr"]:
        return Verdict(WITHIN, f"{said}; {asked}")
    return Verdict(UNDECIDED, f"{said}; {asked}; {_what_would_do(found, low, high, tolerance)}")


def interval(found: Finding, confidence: float) -> tuple[float, float]:
    """Return the limits of the TPR; the printed interval where 95 % are asked for.

    At another confidence, and where no interval is printed, Clopper-Pearson's of all targets'
    members, widened to hold the printed one at 95 % or more.
    """
    counted = clopper_pearson(found.true_positives, found.members, confidence)
    if found.tpr.low is None:
        return counted
    if confidence <= 0.95:
        return (found.tpr.low, found.tpr.high)
    return min(counted[0], found.tpr.low), max(counted[1], found.tpr.high)


def _what_would_do(found, low, high, tolerance):
    """Say how much more data would tell: intervals shrink with the root of their number."""
    value, tpr = found.tpr.value, tolerance["tpr"]
    if value == tpr:
        return "the share found is the tolerated one, which no number of examples tells apart"
    side = value - low if value > tpr else high - value
    times = (side / abs(value - tpr)) ** 2
    return f"about {max(times, 1.1):.2g} times as many examples and targets would do"
