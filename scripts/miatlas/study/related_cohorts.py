"""What cohorts must have in common: one made of another, of its size, or beside it in an audit.

All raise ValueError with one line that names the place, the key and what is demanded.
"""

from miatlas.designs.relations import cut_differently, made_for_each_target
from miatlas.study import parts
from miatlas.study.contents import kept, made_of
from miatlas.study.plugins import one_of


def check_made_of(study: dict, cohort: dict, where: str) -> None:
    """A cohort made of another one knows the same examples, and enough models to be made of."""
    other = made_of(cohort)
    if other is None:
        return
    if cohort["models_of"]:
        raise ValueError(f"{where}.models_of: {cohort['models_of']} is itself made of another")
    key = f"{where}.teacher.cohort" if cohort["teacher"] else f"{where}.design.of"
    one_of(other, kept(study), key)
    if cohort["teacher"] and cohort["design"].get("of"):
        raise ValueError(f"{where}: a cohort is either distilled or retrained, not both")
    original, k = study["cohorts"][other], made_for_each_target(cohort)
    if k > 1 and cohort["teacher"] and cohort["teacher"]["members_of"] == "teacher":
        raise ValueError(
            f"{where}.teacher.students: {k}, but of students that are audited for their teacher's"
            " members there is one each: another would know them"
        )
    if made_of(original):
        raise ValueError(f"{key}: {other} is itself made of another cohort")
    if cohort["models"] % k or cohort["models"] // k > original["models"]:
        raise ValueError(
            f"{where}.models: {cohort['models']} models are not {k} for each of up to"
            f" {original['models']} models of {other}"
        )
    _check_same_examples(original, cohort, where, "only")


def check_size_of(study: dict, cohort: dict, where: str) -> None:
    """A cohort that draws as many examples as another's models have knows the same examples."""
    other = cohort.get("design", {}).get("size_of")
    if other is not None:
        one_of(other, [n for n in kept(study) if not _sized(study, n)], f"{where}.design.size_of")
        _check_same_examples(study["cohorts"][other], cohort, where, "only")


def _sized(study, name):
    return study["cohorts"][name]["design"].get("size_of") or made_of(study["cohorts"][name])


def check_beside(audit: dict, cohorts: dict, side: str, where: str) -> None:
    """A cohort beside the target's knows its examples, and has models for every target."""
    target, other = cohorts["target"], cohorts[side]
    if "models" not in target or "models" not in other:
        return
    if made_of(other) not in (None, audit["target"]):
        raise ValueError(f"{where}: {audit[side]} was made of {made_of(other)}, not of the targets")
    _check_same_examples(target, other, where)
    if wrong := parts.apart(target, other):
        raise ValueError(f"{where}: {wrong}")
    key = cut_differently(target["design"], other["design"])
    if key and not made_of(other):
        raise ValueError(f"{where}: target and {side} cohort cut the pool differently ({key})")
    if target["design"].get("per_target", 1) > 1:
        raise ValueError(
            f"{where}: models of six_way have one target for each partition, but per_target of"
            f" {audit['target']} is {target['design']['per_target']}"
        )
    k = made_for_each_target(other)
    if k and audit["targets"] * k > other["models"]:
        raise ValueError(
            f"{where}: {audit['targets']} targets need {k} models each, but {audit[side]} has"
            f" {other['models']}"
        )


def _check_same_examples(cohort, other, where, *more):
    """Both cohorts know the same examples, in the same roles."""
    for key in ("population", "held_out", "test", *more):
        if cohort.get(key) != other.get(key):
            raise ValueError(
                f"{where}: its {key} is {other[key]!r}, the target cohort's {cohort[key]!r}"
            )
