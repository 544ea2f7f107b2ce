"""Whether what was found is within what its owner tolerates, or cannot be told.

The tolerance is a TPR at an FPR: "at most 1 % of the members may be named at one false accusation
in 1,000". The interval of the transferred TPR decides, at the confidence that was asked for.
"""

from dataclasses import dataclass

from scipy.special import ndtri

from miatlas.exhibits.answer.findings import FALSE_POSITIVES, Finding
from miatlas.exhibits.answer.words import PER, number, plain

WITHIN, BEYOND, UNDECIDED = "within", "beyond", "cannot tell"


@dataclass(frozen=True)
class Verdict:
    """WITHIN, BEYOND or UNDECIDED, and the reason in a sentence."""

    word: str
    reason: str


def judge(found: Finding, tolerance: dict, nonmembers: int) -> Verdict:
    """Return the verdict on the strongest attack; tolerance {level, tpr, confidence}.

    `nonmembers`: those that the threshold rests on. Where they allow fewer than ten false
    accusations at the level there is no interval, and it cannot be told. Nor can it where the
    threshold lets surely fewer pass than the level, and names few; or surely more, and names many.
    """
    level = f"{100 * tolerance['level']:g} %"
    if found.tpr.low is None or nonmembers * tolerance["level"] < FALSE_POSITIVES:
        needed = f"{FALSE_POSITIVES / tolerance['level']:,.0f}"
        return Verdict(
            UNDECIDED,
            f"{nonmembers:,} non-members of other models are too few for an FPR of {level};"
            f" {needed} would do",
        )
    low, high = interval(found, tolerance["confidence"])
    share = f"{100 * found.tpr.value:.3g} %"
    said = f"{found.shown}: {share} of the members [{100 * low:.3g}, {100 * high:.3g}]"
    asked = f"tolerated are {100 * tolerance['tpr']:g} % at an FPR of {level}"
    beyond, within = low > tolerance["tpr"], high <= tolerance["tpr"]
    if (beyond and _surely(found, 1)) or (within and _surely(found, -1)):
        came = f"the threshold lets {number(found.fpr)} in {PER:,} of the non-members pass here"
        return Verdict(UNDECIDED, f"{said}; {asked}; {came}")
    if beyond or within:
        return Verdict(BEYOND if beyond else WITHIN, f"{said}; {asked}")
    return Verdict(UNDECIDED, f"{said}; {asked}; {_what_would_do(found, low, high, tolerance)}")


def _surely(found, side):
    """Say whether the FPR surely lies above the level that was meant (side 1), or below (-1)."""
    if found.fpr.low is None:
        return False
    return found.fpr.low > found.level if side > 0 else found.fpr.high < found.level


def interval(found: Finding, confidence: float) -> tuple[float, float]:
    """Return the limits of the TPR: the printed 95 % interval, at least.

    At more confidence its reaches grow as a normal law's quantile does; that is not simulated.
    """
    value, low, high = found.tpr.value, found.tpr.low, found.tpr.high
    wider = max(1.0, float(ndtri((1.0 + confidence) / 2.0) / ndtri(0.975)))
    return max(value - wider * (value - low), 0.0), min(value + wider * (high - value), 1.0)


def _what_would_do(found, low, high, tolerance):
    """Say how much more data would tell: intervals shrink with the root of their number."""
    value, tpr = found.tpr.value, tolerance["tpr"]
    if value == tpr:
        return "the share found is the tolerated one, which no number of examples tells apart"
    side = value - low if value > tpr else high - value
    times = (side / abs(value - tpr)) ** 2
    return f"about {plain(max(times, 1.1))} times as many examples and targets would do"
