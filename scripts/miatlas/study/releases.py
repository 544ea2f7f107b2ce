"""What an audit's models give out: whether its attacks can work on that, and how it is said."""

import re

from miatlas.audits.attack import PROBES
from miatlas.study.attack_modules import said as said_by

FULL = ("everything", "confidences")  # of which all answers are left
BY_NUMBER = (*FULL, "rounded")  # that change each number by itself, or none
ASKED = "|".join((*PROBES, "normal_regression", "quantile_regression", "perturbed"))
INSIDE = re.compile(rf"(target|refs|reference)_(held_out_)?({ASKED})")


def complaint(attack: dict, cohorts: dict, release: dict) -> str | None:
    """Say why an attack cannot work on what is released; None if it can.

    `cohorts`: those of the audit as `demands.known` tells of them, by side. What is said goes on
    from the attack's key, as in `demands.complaint`.
    """
    name, one = release["name"], said_by(attack["attack"])
    if name == "everything":
        return None
    if more := _beyond(one.read(attack["options"]), name):
        return f" reads {more} of the models, which the release {name!r} does not give"
    if name == "label" and not one.does_with_labels(attack["options"]):
        return (
            " needs confidences, and the release 'label' leaves the likeliest class alone"
            + _told_to_do_with(one.labels_suffice)
        )
    return _of_whole_answers(attack, cohorts, name)


def _told_to_do_with(conditions):
    """Say which options would do with labels; nothing where none do."""
    options = (f"{name}: {value}" for when in conditions for name, value in when.items())
    return "".join(f" ({option} does with that)" for option in options)


def _beyond(names, release):
    """Return what is read that no answer to an example tells; noisy ones can be asked about, too.

    Labels of those every release tells but means over groups, confidences those that give all. An
    attacker's own reference model alone (ref_) tells all that it knows.
    """
    found = {match[3] for match in map(INSIDE.fullmatch, names) if match}
    of_answers = {"noise", "normal_regression", "quantile_regression", "perturbed"}
    told = (of_answers if release in FULL else set()) | (
        {"noisy_labels"} if release != "groups" else set()
    )
    return min(found - told, default=None)


def _of_whole_answers(attack, cohorts, name):
    """Releases of whole answers are made of logits, which may be kept of the first query only."""
    wanted = attack["options"].get("queries") or 1
    for side, cohort in cohorts.items():
        if name in BY_NUMBER:
            break
        if "logits" not in cohort.get("answers", ["logits"]):
            return f" needs logits for the release {name!r}, and {cohort['signals']} has none"
        if wanted > 1 and cohort.get("queries", {}).get("logits") == "first":
            return (
                f".queries: {wanted}, but the release {name!r} is of whole answers, and {side}"
                " models keep that to the first query (queries.logits: all keeps every one)"
            )
    return None


def said(release: dict) -> dict:
    """Return what the settings of a job say of it: nothing where nothing is withheld."""
    return {} if release["name"] == "everything" else {"release": release}


def described(release: dict) -> str:
    """Return what a sentence about an audit says of it."""
    words = {
        "everything": "",
        "confidences": "all confidences",
        "top": "the {k} largest confidences",
        "rounded": "confidences rounded to {digits} digits",
        "label": "the label alone",
        "groups": "means over groups of {size} examples",
    }[release["name"]].format(**release)
    return f", released: {words}" if words else ""
