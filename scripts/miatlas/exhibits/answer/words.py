"""What was found, in plain words and whole numbers."""

import math

from miatlas.exhibits.answer.findings import Finding, Rate

PER = 1000
NEAR = 0.25  # by what share a false positive rate may miss the one that was meant, and count as it
PRIORS = {"0.01": "1 %", "0.1": "10 %", "0.5": "50 %"}


def sentence(found: Finding) -> str:
    """Say how many of 1,000 members can be named, at how many false accusations.

    Those that were meant, where the threshold lets about as many pass; else those that it does.
    """
    accused = plain(found.level * PER) if as_meant(found) else number(found.fpr)
    wrongly = "false accusation" if accused == "1" else "false accusations"
    return (
        f"Of {PER:,} members, {number(found.tpr)} can be named with {accused} {wrongly} in {PER:,}"
        " non-members."
    )


def as_meant(found: Finding) -> bool:
    """Say whether the threshold lets about as many false accusations pass as its level says."""
    return abs(found.fpr.value - found.level) <= NEAR * found.level


def how(found: Finding) -> str:
    """Say by which attack, with whose threshold, and what came of the false accusations."""
    if not found.transferred:
        return (
            f"By {found.shown}, the strongest attack, with the best threshold in hindsight, which"
            " nobody has who attacks: read it as an upper end."
        )
    taken = (
        f"By {found.shown}, the strongest attack, with the threshold that an attacker takes from"
        " other models"
    )
    if as_meant(found):
        return f"{taken}; here the false accusations were {number(found.fpr)} in {PER:,}."
    side = "fewer" if found.fpr.value < found.level else "more"
    return f"{taken}; meant for {plain(found.level * PER)} in {PER:,}, it lets {side} pass here."


def against_guessing(found: Finding) -> str:
    """Say what guessing would achieve, and whether this is more."""
    guessed = plain(found.fpr.value * PER)
    if found.tpr.low is None:
        return f"Guessing names {guessed} in {PER:,}; with so few examples there is no interval."
    if found.tpr.low > found.fpr.value:
        times = found.tpr.value / found.fpr.value if found.fpr.value else float("inf")
        more = f"{plain(times)} times as many as" if times != float("inf") else "more than"
        return f"That is {more} by guessing with as many false accusations ({guessed} in {PER:,})."
    return (
        f"Guessing with as many false accusations names {guessed} in {PER:,}: this may be no more."
    )


def priors(found: Finding) -> list[tuple[str, str]]:
    """Say, for each prior share of members, how many of 100 accusations are right."""
    said = _of_hundred if found.transferred else _at_most
    return [
        (shown, "nobody is accused" if found.precision[key] is None else said(found.precision[key]))
        for key, shown in PRIORS.items()
    ]


def _of_hundred(worth):
    """Say how many, with the interval in whole numbers around it; without false ones, at least."""
    if worth.low is None:
        return f"{100 * worth.value:.0f} of 100" if worth.value < 1.0 else "cannot be told"
    low, high = math.floor(100 * worth.low), math.ceil(100 * worth.high)
    if worth.value == 1.0:
        return f"at least {low} of 100"
    return f"{100 * worth.value:.0f} of 100 [{low}, {high}]"


def _at_most(worth):
    """Say how many in hindsight, which is an upper end, and has no interval."""
    return f"at most {100 * worth.value:.0f} of 100"


def note(found: list[Finding]) -> str:
    """Say at which level, and by whose threshold, the rates of the attacks stand."""
    level = f"{100 * found[0].level:g} %"
    if not found[0].transferred:
        return f"There is one target: thresholds are the best in hindsight at an FPR of {level}."
    told = (
        f"Thresholds are those of an FPR of {level} on other models; beside the TPR stands the FPR"
        " that they have here. Attacks are in the order of TPR - FPR; the balanced accuracy is the"
        " best in hindsight."
    )
    who = [one.shown for one in found if _passes_more(one)]
    if not who:
        return told
    return (
        f"{told} These thresholds do not carry over, and accuse more than they are meant to, beyond"
        f" chance: {'; '.join(who)}. Compare such attacks by curve and AUC; of shadow models, look"
        " whether they were trained as the target was, and as long."
    )


def _passes_more(found):
    """Say whether the whole interval of the FPR lies above the level, not by a little."""
    return found.transferred and (found.fpr.low or 0) > (1 + NEAR) * found.level


def number(rate: Rate) -> str:
    """Return a share as a number in 1,000, with its interval where there is one."""
    if rate.low is None:
        return plain(rate.value * PER)
    return f"{plain(rate.value * PER)} [{plain(rate.low * PER)}, {plain(rate.high * PER)}]"


def percent(rate: Rate) -> str:
    """Return a share as a percentage, with its interval where there is one."""
    if rate.low is None:
        return f"{_digits(100 * rate.value)} %"
    return f"{_digits(100 * rate.value)} % [{_digits(100 * rate.low)}, {_digits(100 * rate.high)}]"


def decimal(rate: Rate) -> str:
    """Return an AUC with three digits, with its interval where there is one."""
    if rate.low is None:
        return f"{rate.value:.3f}"
    return f"{rate.value:.3f} [{rate.low:.3f}, {rate.high:.3f}]"


def plain(value: float) -> str:
    """Return a count without superfluous digits: 31, 2.4, 0.05."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _digits(value):
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"
