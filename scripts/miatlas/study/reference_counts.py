"""How many reference models of each kind an audit's examples have, as its cohorts' designs say."""

from miatlas.designs.relations import made_for_each_target, partners, whole_groups
from miatlas.study import parts

HALVES = ("half", "canaries")


def at_most(cohorts: dict, same: bool) -> tuple[int, int]:
    """Return how many IN and how many OUT references the examples with the fewest have at most.

    As many as there are where lot decides; what the design says where it does. None trained on
    examples of a part that its cohort does not draw from.
    """
    ins, outs = _by_design(cohorts, same)
    return 0 if parts.unseen(cohorts["target"], cohorts["shadow"]) else ins, outs


def _by_design(cohorts, same):
    target, shadow = cohorts["target"], cohorts["shadow"]
    k, design = references_of_a_target(cohorts, same), shadow.get("design", {})
    name, side = design_of(shadow), design.get("side")
    if name == "leave_one_out":
        return 0, design["seeds"]
    if name == "paired" or (name in HALVES and whole_groups(design["group"], k + same)):
        return k // 2, k // 2  # of an odd number: the target's members have one IN less, others OUT
    if name == "disjoint" and not same and design_of(target) not in (None, "disjoint"):
        return 0, k
    if name == "disjoint" and target.get("design", {}).get("side", side) != side:
        return 0, k
    if name == "six_way" and not same and not shadow["teacher"] and design_of(target):
        apart = design_of(target) == "six_way" and target["design"]["side"] != side
        return 0, k if apart else 0  # one set of the pool, that all k models have trained on
    return k, k


def references_of_a_target(cohorts, same):
    """Return how many models may be references of a target."""
    shadow = cohorts["shadow"]
    if same:
        return shadow["models"] - len(partners(design_of(shadow), 0))
    return made_for_each_target(shadow) or shadow["models"]


def design_of(cohort: dict) -> str | None:
    """Return the name of a cohort's design; None of models that others drew."""
    return cohort.get("design", {}).get("name")
