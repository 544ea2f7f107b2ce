"""What an audit's attacks demand of its cohorts, as far as the study tells before anything runs.

Cohorts are entries of the study, with what `audit_cohorts.known` adds to them.
"""

import re

from miatlas.audits.attack import PROBES
from miatlas.designs.relations import group_at
from miatlas.study.attack_modules import said
from miatlas.study.example_kinds import TEXT
from miatlas.study.reference_counts import at_most, design_of, references_of_a_target

PROBED = re.compile(rf"(target|refs|ref|reference)_({'|'.join(PROBES)})")
NOISY = ("noise", "noisy_labels")
SIDES = {"target": ("target_",), "shadow": ("refs_", "ref_"), "reference": ("reference_",)}


def probes(attack: str, side: str, options: dict | None = None) -> set[str]:
    """Return the probes that an attack has answered by the "target" or the "shadow" cohort."""
    asked = [match.groups() for match in map(PROBED.fullmatch, said(attack).read(options)) if match]
    return {probe for who, probe in asked if f"{who}_" in SIDES[side]}


def one_model_answers(attack: str, probe: str) -> bool:
    """Say whether an attack needs a probe's answers of a single shadow model only."""
    return not {f"target_{probe}", f"refs_{probe}", f"reference_{probe}"} & said(attack).read()


def targets_answer(attack: str, probe: str, options: dict) -> bool:
    """Say whether an attack needs a probe's answers of its targets only."""
    asked = {f"{who}_{probe}" for who in ("target", "refs", "ref", "reference")}
    return asked & said(attack).read(options) == {f"target_{probe}"}


def complaint(attack: dict, cohorts: dict, same: bool) -> str | None:
    """Say why an attack cannot run on the `known` cohorts of an audit, by side; None if it can.

    What is said goes on from the attack's key: ".references: ...", or " needs ...".
    """
    names = said(attack["attack"]).read(attack["options"])
    checks = (_relation, _references, _counts, _single, _held_out, _probes, _answers, _queries)
    for check in checks:
        if wrong := check(attack, names, cohorts, same):
            return wrong
    return None


def _relation(attack, names, cohorts, same):
    """Some attacks need a third cohort, or models that were made for the target."""
    shadow, kind = cohorts["shadow"], said(attack["attack"]).shadow
    if _of("reference", names) and not cohorts.get("reference"):
        return " calibrates with a third cohort, but the audit names no reference"
    if kind == "distilled" and not shadow.get("teacher"):
        return " needs a shadow cohort distilled from the targets (teacher)"
    if kind == "leave_one_out" and design_of(shadow) != "leave_one_out":
        return " needs a shadow cohort of the design leave_one_out"
    if kind == "several" and not same and design_of(shadow) == "six_way" and not shadow["teacher"]:
        return " needs shadow models of several training sets, and those of six_way share one"
    return None


def _references(attack, names, cohorts, same):
    """There are as many reference models as are asked for, and they can be halved."""
    wanted, shadow = attack["references"], cohorts["shadow"]
    compares = any(name.startswith("refs_") for name in names)
    if wanted and not compares:
        return f".references: {wanted}, but {attack['attack']} compares with no reference models"
    if wanted and wanted % 2 and "refs_in" in names and (same or not said(attack["attack"]).learns):
        return f".references: {wanted} cannot be split into half IN and half OUT"
    if compares and "models" in shadow:
        available = references_of_a_target(cohorts, same)
        if (wanted or 1) > available:
            left = " that are not the target's own" if same else ""
            return f".references: {wanted or 'all'}, but there are {available} models{left}"
    return None


def _counts(attack, names, cohorts, same):
    """Every example has the IN and OUT references that are asked for, or what must be there."""
    shadow, wanted = cohorts["shadow"], attack["references"]
    taught_apart = (
        said(attack["attack"]).learns and not same and design_of(shadow) != "leave_one_out"
    )
    if not {"refs_in", "refs_out"} & names or taught_apart or "models" not in shadow:
        return None
    both, least = "refs_in" in names, _least(attack)
    each = (wanted // 2 if both else wanted) if wanted else least
    if each < least:
        return f".references: {wanted}, but {attack['attack']} needs {least} of a kind for a law"
    there = at_most(cohorts, same)
    if (each if both else 0) > there[0] or each > there[1]:
        kinds = f"{each} IN and {each} OUT" if both else f"{each} OUT"
        return (
            f".references: {wanted or 'all'}, but {attack['attack']} needs {kinds} of every"
            f" example, and the design {design_of(shadow)} leaves examples with {there[0]} IN and"
            f" {there[1]} OUT"
        )
    return None


def _single(attack, names, cohorts, same):
    """A model that speaks alone knows nothing of the target's members."""
    shadow = cohorts["shadow"]
    if not any(name.startswith("ref_") for name in names):
        return None
    if same and group_of(shadow) == shadow["models"]:
        return (
            f" asks one model of another group than the target's, and all {shadow['models']} models"
            " are one (design.group)"
        )
    if design_of(shadow) == "leave_one_out":
        return " asks one model of other members than the target's, and leave_one_out keeps them"
    return None


def group_of(cohort: dict) -> int | None:
    """Return the size of a cohort's first group, if its models are drawn in groups."""
    group = cohort.get("design", {}).get("group")
    return group and group_at(group, 0)[2]


def _least(attack):
    """Return how many references of a kind a law takes: a variance, or one without a prior, two."""
    options = attack["options"]
    fits = {"variance", "prior_freedom"} & options.keys()
    variance = fits and not options.get("preset")
    return 2 if variance or options.get("prior") == 0 else 1


def _held_out(attack, names, cohorts, same):
    """There are held-out examples, and enough of them, as far as the population's size is known."""
    if not any("_held_out_" in name or name.endswith("_regression") for name in names):
        return None
    per_class = attack["options"].get("per_class") or 1
    asks_all = "population" in attack["options"]
    instead = "population: all takes those at hand" if asks_all else "held_out: 0.1 sets some apart"
    for side in ("target", "shadow"):
        share, examples = cohorts[side].get("held_out"), cohorts[side].get("examples")
        if share == 0:
            return f" needs held-out examples, but the {side} cohort has none ({instead})"
        if examples and share and per_class > round(share * examples):
            return (
                f".per_class: {per_class}, but of at most {examples} examples"
                f" {round(share * examples)} are held out"
            )
    return None


def _probes(attack, names, cohorts, same):
    for side, cohort in cohorts.items():
        wanted = sorted(probes(attack["attack"], side, attack["options"]))
        if wanted and "signals" in cohort:
            return f" asks models for {wanted[0]}, and {side} models are external"
        if ("tokens" in wanted or "zlib_bytes" in names) and cohort.get("kind") not in (None, TEXT):
            return f" reads texts, and examples of the {side} cohort are {cohort['kind']}"
        noisy = [probe for probe in wanted if probe in NOISY]
        if noisy and cohort.get("kind") == TEXT:
            return " adds noise to examples, which makes no words of words"
        for probe in noisy:
            if min(found := cohort["probes"][probe]["deviations"] or [0]) <= 0:
                return f" asks for noise of deviations {found}: they must be positive"
    return None


def _answers(attack, names, cohorts, same):
    """Whoever is asked for logits has them in their signals file."""
    for side, cohort in cohorts.items():
        wanted = any(name.endswith("_logits") for name in _of(side, names))
        if wanted and "logits" not in cohort.get("answers", ["logits"]):
            return f" reads logits, and {cohort['signals']} has none"
    return None


def _queries(attack, names, cohorts, same):
    wanted = attack["options"].get("queries")
    asked = [cohort["queries"]["count"] for cohort in cohorts.values() if "queries" in cohort]
    if wanted and asked and wanted > min(asked):
        return f".queries: {wanted}, but the cohort's models answer {min(asked)}"
    return None


def _of(side, names):
    """Return what an attack reads of a side's models."""
    return {name for name in names if name.startswith(SIDES[side])}
