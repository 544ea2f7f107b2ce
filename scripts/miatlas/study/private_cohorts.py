"""What is said, when a study starts, of a δ that is too large for the examples of its cohorts."""

from miatlas.populations.catalogue import about
from miatlas.study.contents import is_private, trained
from miatlas.study.example_kinds import TEXT, kind_of
from miatlas.study.reference_counts import HALVES


def warnings(study: dict) -> list[str]:
    """Return a line for each private cohort whose δ is not below 1 / training examples.

    As far as the study tells how many these are; the training itself says it of all others.
    """
    return [said for name in trained(study) if (said := _warning(study, name))]


def _warning(study, name):
    if not is_private(study, name):
        return None
    cohort = study["cohorts"][name]
    delta, most = study["recipes"][cohort["recipe"]]["privacy"]["delta"], examples(study, cohort)
    if most is None or delta < 1 / most:
        return None
    return (
        f"recipes.{cohort['recipe']}.privacy.delta is {delta:g}, not below 1 / {most:,}, and models"
        f" of the cohort {name} train on about so many examples, if not fewer: an example given"
        " away whole would satisfy it"
    )


def examples(study: dict, cohort: dict) -> int | None:
    """Return about how many examples a model of a cohort trains on at most; None if unknown."""
    design, population = cohort["design"], study["populations"][cohort["population"]]
    if design.get("size"):
        return design["size"]
    count = population["subset"] or _published(population)
    if count is None:
        return None
    count += (population["canaries"] or {"count": 0})["count"]
    pool = count * (1 - cohort["held_out"] - cohort["test"])
    return max(1, round(pool / 2 if design["name"] in HALVES else pool))


def _published(population):
    """Return how many examples a source has; None if only its file tells, or if they are words."""
    shape = about(population["source"]).shape
    return shape[0] if shape and kind_of(population) != TEXT else None
